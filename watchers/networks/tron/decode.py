"""Pure: a block and its transaction infos, as bytes from a node, into transfers and outcomes.

Both spellings of a node are understood (`visible` true and false). TRC-10 assets are not
counted: `transfers_of` would match `TransferAssetContract` and the `tokenId` entries of internal
transactions by numeric id, never by name, and only ids on the list.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from watchers.network import (
    NATIVE,
    Block,
    BlockRef,
    Incomplete,
    NodeUnavailable,
    Outcome,
    Transfer,
)
from watchers.networks.tron.address import canonical, spellings
from watchers.networks.tron.answers import (
    BlockAnswer,
    Contract,
    Info,
    InfosAnswer,
    InternalTransaction,
    Log,
    Transaction,
    TransferParameter,
)

SUCCESS = "SUCCESS"
TRANSFER_TOPIC = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
WORD = 64  # hex digits of 32 bytes
ADDRESS_PADDING = ("0" * 24, "0" * 22 + "41")  # some compilers keep the 41 of an address
VALUE_NOTES = ("call", "create", "suicide")
MOVES_VALUE = frozenset((*VALUE_NOTES, *(note.encode().hex() for note in VALUE_NOTES)))
"""Other operations (`delegateResourceOfEnergy`, `freezeFor...`) state an amount that stays put."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_MAX = 253_402_300_799_999  # the last one of year 9999

_BLOCK = msgspec.json.Decoder(BlockAnswer)
_INFOS: msgspec.json.Decoder[InfosAnswer] = msgspec.json.Decoder(InfosAnswer)
_TRANSFER = msgspec.json.Decoder(TransferParameter)


def token_spellings(tokens: Iterable[str]) -> dict[str, str]:
    """Map every spelling of the listed base58 contracts to the canonical one."""
    return {spelling: token for token in tokens for spelling in spellings(token)}


def decode_header(height: int | None, body: bytes) -> BlockRef:
    """Read a block's identity; `height` is the one asked for, `None` for the newest."""
    return _ref(height, _block(body))


def decode_block(
    height: int, block_body: bytes, infos_body: bytes, tokens: Mapping[str, str]
) -> Block:
    """Join both answers into one complete block, or raise `Incomplete` with the reason.

    `tokens` comes from `token_spellings`. Raises `NodeUnavailable` for an answer that is no
    answer: not JSON, another shape, or the node's own `Error`. The infos are addressed by
    height only, so their ids and times must prove that they belong to this very block.
    """
    answer = _block(block_body)
    ref = _ref(height, answer)
    infos = _infos(infos_body)
    _require_complete(height, answer, infos)
    transfers: list[Transfer] = []
    outcomes: dict[str, Outcome] = {}
    info_of = {info.id: info for info in infos}
    for transaction in answer.transactions:
        info = info_of[transaction.tx_id]
        success = _succeeded(transaction, info)
        outcomes[transaction.tx_id] = Outcome(success, info.fee)
        if success:
            try:
                transfers.extend(transfers_of(transaction, info, tokens))
            except (ValueError, msgspec.DecodeError) as unreadable:
                raise Incomplete(f"{transaction.tx_id}: {unreadable}") from unreadable
    return Block(ref, tuple(transfers), outcomes)


def transfers_of(
    transaction: Transaction, info: Info, tokens: Mapping[str, str]
) -> Iterator[Transfer]:
    """Yield what a successful transaction moved: TRX, listed tokens, TRX inside contracts."""
    (contract,) = transaction.raw_data.contract
    if contract.type == "TransferContract":
        yield from _native(transaction.tx_id, contract)
    for ordinal, log in enumerate(info.log):
        token = tokens.get(log.address)
        if token is not None:
            yield from _token(info.id, ordinal, token, log)
    for ordinal, internal in enumerate(info.internal_transactions):
        yield from _internal(info.id, ordinal, internal)


def _native(tx_hash: str, contract: Contract) -> Iterator[Transfer]:
    value = _TRANSFER.decode(contract.parameter).value
    if value.amount > 0:
        sender, recipient = canonical(value.owner_address), canonical(value.to_address)
        yield Transfer(tx_hash, "native", 0, NATIVE, sender, recipient, value.amount)


def _token(tx_hash: str, ordinal: int, token: str, log: Log) -> Iterator[Transfer]:
    if len(log.topics) != 3 or log.topics[0] != TRANSFER_TOPIC or len(log.data) != WORD:
        return
    sender, recipient = _topic_address(log.topics[1]), _topic_address(log.topics[2])
    units = int.from_bytes(bytes.fromhex(log.data), "big")
    if sender and recipient and units:
        yield Transfer(tx_hash, "token", ordinal, token, sender, recipient, units)


def _topic_address(topic: str) -> str:
    """Return the address in a topic; empty where the topic holds something else."""
    if len(topic) != WORD or not topic.startswith(ADDRESS_PADDING):
        return ""
    return canonical(topic[24:])


def _internal(tx_hash: str, ordinal: int, internal: InternalTransaction) -> Iterator[Transfer]:
    if internal.rejected or internal.note not in MOVES_VALUE:
        return
    units = sum(value.call_value for value in internal.call_values if not value.token_id)
    if units > 0:
        sender, recipient = canonical(internal.caller_address), canonical(internal.transfer_to)
        yield Transfer(tx_hash, "internal", ordinal, NATIVE, sender, recipient, units)


def _succeeded(transaction: Transaction, info: Info) -> bool:
    """Tell whether it took effect; block and info must not contradict each other.

    Consensus makes both equal wherever the virtual machine ran. A node that shows only one of
    them as failed is not believed either way: a payout taken for failed would be paid again.
    """
    in_block = transaction.ret[0].contract_ret if transaction.ret else ""
    ran = bool(info.receipt.result or info.log or info.internal_transactions)
    if (ran and info.receipt.result != in_block) or (info.result and in_block == SUCCESS):
        raise Incomplete(
            f"{transaction.tx_id}: block says {in_block or 'nothing'}, info says "
            f"{info.receipt.result or info.result or 'nothing'}"
        )
    return in_block == SUCCESS


def _require_complete(height: int, answer: BlockAnswer, infos: tuple[Info, ...]) -> None:
    ids = {transaction.tx_id for transaction in answer.transactions}
    if len(ids) != len(answer.transactions):
        raise Incomplete(f"block {height} lists a transaction twice")
    if len(infos) != len(ids) or {info.id for info in infos} != ids:
        raise Incomplete(
            f"block {height} has {len(ids)} transactions, its {len(infos)} infos do not match"
        )
    time = answer.block_header.raw_data.timestamp
    for info in infos:
        if info.block_number != height or info.block_time != time:
            raise Incomplete(f"info {info.id} belongs to another block than {height}")
    for transaction in answer.transactions:
        if len(transaction.raw_data.contract) != 1:
            raise Incomplete(f"{transaction.tx_id} does not have exactly one contract")


def _ref(height: int | None, answer: BlockAnswer) -> BlockRef:
    header = answer.block_header.raw_data
    if not answer.block_id:
        raise Incomplete(
            f"the node does not know block {'newest' if height is None else height}"
        )
    if height is not None and header.number != height:
        raise Incomplete(f"asked for block {height}, got {header.number}")
    if _height_in(answer.block_id) != header.number:
        raise Incomplete(f"block id {answer.block_id} is not of height {header.number}")
    if header.number and len(header.parent_hash) != WORD:
        raise Incomplete(f"block {header.number} does not name its parent")
    if not 0 <= header.timestamp <= MILLISECONDS_MAX:
        raise Incomplete(f"block {header.number} has no possible time")
    time = EPOCH + timedelta(milliseconds=header.timestamp)
    return BlockRef(header.number, answer.block_id, header.parent_hash, time)


def _height_in(block_id: str) -> int:
    """Return the height that the first 8 bytes of a block id state, -1 for no block id."""
    try:
        octets = bytes.fromhex(block_id)
    except ValueError:
        return -1
    return int.from_bytes(octets[:8], "big") if len(block_id) == WORD else -1


def _block(body: bytes) -> BlockAnswer:
    try:
        answer = _BLOCK.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise NodeUnavailable(f"block: {trouble}") from trouble
    if answer.error is not None:
        raise NodeUnavailable(f"block: {answer.error}")
    return answer


def _infos(body: bytes) -> tuple[Info, ...]:
    try:
        answer = _INFOS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise NodeUnavailable(f"transaction infos: {trouble}") from trouble
    if isinstance(answer, tuple):
        return answer
    if answer.error is not None:
        raise NodeUnavailable(f"transaction infos: {answer.error}")
    return ()
