"""Pure: a block and its transaction infos, as bytes from a node, into transfers and outcomes.

Both spellings of a node are understood (`visible` true and false). TRC-10 assets count by their
numeric id, never by a name, only where the id is listed and where their own contract moved them.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from watchers.network import Block, BlockRef, Incomplete
from watchers.networks.tron.address import canonical, spellings
from watchers.networks.tron.outcomes import Outcomes
from watchers.networks.tron.parsing import parsed_block, parsed_infos
from watchers.networks.tron.transfers import WORD, Strays, find_transfers, is_hex
from watchers.networks.tron.wire import BlockAnswer, Info, Parameter

ID_DIGITS = 20
"""A TRC-10 id is a 64-bit number; an address has more digits."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_MAX = 253_402_300_799_999  # the last one of year 9999


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
            spelled, *in_hex = spellings(contract)
            listed |= dict.fromkeys((spelled, *in_hex, *map(str.upper, in_hex)), contract)
    return listed


def decode_header(height: int | None, body: bytes) -> BlockRef:
    """Read a block's identity; `height` is the one asked for, `None` for the newest."""
    return _ref(height, parsed_block(body))


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
    A header alone (`detail: false`) is no empty block: its root announces what it does not list.
    """
    answer = parsed_block(block_body)
    ref = _ref(height, answer)
    sent, infos = answer.transactions, _paired(ref.height, answer, parsed_infos(infos_body))
    found = find_transfers(sent, infos, tokens, doubtful_fails=doubtful_fails)
    failed = frozenset(found.failed)
    return Block(
        ref,
        tuple(found.transfers),
        Outcomes(sent, infos, failed),
        Strays(sent, infos, failed, tokens),
        internal=found.internal,
    )


def _paired(
    height: int, answer: BlockAnswer[Parameter], infos: tuple[Info, ...]
) -> tuple[Info, ...]:
    """Return the infos in the order of the block's transactions, each proved to be its own."""
    ids = [transaction.tx_id for transaction in answer.transactions]
    if not ids and answer.block_header.raw_data.root.strip("0"):
        raise Incomplete(f"the root of block {height} announces transactions, there are none")
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


def _ref(height: int | None, answer: BlockAnswer[Parameter]) -> BlockRef:
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
