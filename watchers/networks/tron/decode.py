"""Pure: a block and its transaction infos, as bytes from a node, into transfers and outcomes.

Both spellings of a node are understood (`visible` true and false). TRC-10 assets count by their
numeric id, never by a name, and only where the id is listed.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from watchers.network import Block, BlockRef, Incomplete, NodeUnavailable
from watchers.networks.tron.address import canonical, spellings
from watchers.networks.tron.transfers import WORD, Outcomes, Strays, find_transfers, is_hex
from watchers.networks.tron.wire import (
    SUCCEEDED,
    BlockAnswer,
    Info,
    InfosAnswer,
    Ret,
    Transaction,
)

SUCCESS = "SUCCESS"
ID_DIGITS = 20
"""A TRC-10 id is a 64-bit number; an address has more digits."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_MAX = 253_402_300_799_999  # the last one of year 9999

_BLOCK = msgspec.json.Decoder(BlockAnswer)
_RET = msgspec.json.Decoder(tuple[Ret, ...])
_INFOS: msgspec.json.Decoder[InfosAnswer] = msgspec.json.Decoder(InfosAnswer)


def token_spellings(tokens: Iterable[str]) -> dict[str, str]:
    """Map every spelling of a listed contract to base58, a listed TRC-10 id to itself.

    Raises `ValueError` for what is neither an address in any of its spellings nor a number.
    """
    listed: dict[str, str] = {}
    for token in tokens:
        if token.isascii() and token.isdecimal() and len(token) < ID_DIGITS:
            listed[token] = token
        else:
            contract = canonical(token.lower() if is_hex(token) else token)
            listed |= dict.fromkeys(spellings(contract), contract)
    return listed


def decode_header(height: int | None, body: bytes) -> BlockRef:
    """Read a block's identity; `height` is the one asked for, `None` for the newest."""
    return _ref(height, _block(body))


def lists_transactions(body: bytes) -> bool:
    """Tell whether a block has any; raise as `decode_block` does for what is no block."""
    return bool(_block(body).transactions)


def decode_block(
    height: int | None,
    block_body: bytes,
    infos_body: bytes,
    tokens: Mapping[str, str],
    *,
    doubtful_fails: bool = False,
) -> Block:
    """Join both answers into one complete block, or raise `Incomplete` with the reason.

    `tokens` comes from `token_spellings`; `height` is the one asked for, if any. Raises
    `NodeUnavailable` for an answer that is no answer: not JSON, another shape, or the node's own
    `Error`. The infos are addressed by height only, so their ids and times must prove that they
    belong to this very block. A transaction whose two answers disagree about its success makes
    the block incomplete or, where nobody can be asked again (`doubtful_fails`), counts as failed.
    """
    answer = _block(block_body)
    ref = _ref(height, answer)
    infos = _paired(ref.height, answer, _infos(infos_body))
    failed = _failed(answer.transactions, infos, doubtful_fails=doubtful_fails)
    return Block(
        ref,
        tuple(find_transfers(answer.transactions, infos, failed, tokens)),
        Outcomes(answer.transactions, infos, failed),
        Strays(answer.transactions, infos, failed, tokens),
        internal=any(info.internal_transactions for info in infos),
    )


def _failed(
    transactions: tuple[Transaction, ...], infos: tuple[Info, ...], *, doubtful_fails: bool
) -> frozenset[str]:
    """Return the ids of the transactions that did not take effect."""
    suspects = [
        (transaction, info)
        for transaction, info in zip(transactions, infos, strict=True)
        if transaction.ret != SUCCEEDED
        or info.result
        or (
            (said := info.receipt.result) != SUCCESS
            and (said or info.log or info.internal_transactions)
        )
    ]
    return frozenset(
        info.id
        for transaction, info in suspects
        if not _succeeded(transaction, info, doubtful_fails=doubtful_fails)
    )


def _succeeded(transaction: Transaction, info: Info, *, doubtful_fails: bool) -> bool:
    """Tell whether it took effect; block and info must not contradict each other.

    Consensus makes both equal wherever the virtual machine ran. A node that shows only one of
    them as failed is not believed either way: a payout taken for failed would be paid again.
    """
    try:
        results = _RET.decode(transaction.ret)
    except msgspec.DecodeError as unreadable:
        raise Incomplete(f"{info.id}: ret: {unreadable}") from unreadable
    in_block = results[0].contract_ret if results else ""
    in_info = info.receipt.result
    ran = in_info or info.log or info.internal_transactions
    if (ran and in_info != in_block) or (info.result and in_block == SUCCESS):
        if doubtful_fails:
            return False
        raise Incomplete(
            f"{info.id}: block says {in_block or 'nothing'}, info says "
            f"{in_info or info.result or 'nothing'}"
        )
    return in_block == SUCCESS


def _paired(height: int, answer: BlockAnswer, infos: tuple[Info, ...]) -> tuple[Info, ...]:
    """Return the infos in the order of the block's transactions, each proved to be its own."""
    ids = [transaction.tx_id for transaction in answer.transactions]
    if len(set(ids)) != len(ids):
        raise Incomplete(f"block {height} lists a transaction twice")
    if [info.id for info in infos] != ids:
        info_of = {info.id: info for info in infos}
        if len(infos) != len(ids) or info_of.keys() != set(ids):
            raise Incomplete(
                f"block {height} has {len(ids)} transactions, its {len(infos)} infos do not match"
            )
        infos = tuple(info_of[tx_id] for tx_id in ids)
    time = answer.block_header.raw_data.timestamp
    for info in infos:
        if info.block_number != height or (info.block_time != time and info.block_time):
            raise Incomplete(f"info {info.id} belongs to another block than {height}")
    return infos


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
    except msgspec.ValidationError as trouble:
        if "contract" in str(trouble):
            raise Incomplete(f"not exactly one contract in a transaction: {trouble}") from None
        raise NodeUnavailable(f"block: {trouble}") from trouble
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
