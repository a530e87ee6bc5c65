"""Logs of a block that were asked for by themselves: all there, each at its transaction. Pure.

Columns are compared as lists: a loop over the logs takes several times as long, and of a node that
is many blocks ahead this is what takes the time.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from watchers.network import BlockRef, Incomplete
from watchers.networks.ethereum.bloom import bits_of, bloom_of
from watchers.networks.ethereum.wire import RawBlock, RawPlacedLog, amount

NUMBERS = tuple(hex(number) for number in range(4096))
"""How nodes spell places; few blocks have more transactions or logs."""
PLACES = {number: place for place, number in enumerate(NUMBERS)}
WORDS_REMEMBERED = 8192


class Words(dict[str, int]):
    """The bits of each word as it was first met; of the words before those, the latest.

    A plain look-up: to keep the order of use, as `bits_of` does, costs more than the rest of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, int] = {}

    def __missing__(self, word: str) -> int:
        if len(self) >= WORDS_REMEMBERED:
            self._before = dict(self)
            self.clear()
        bits = self._before.get(word)
        self[word] = bits = bits_of(word) if bits is None else bits
        return bits


_words = Words()


def prove_logs(ref: BlockRef, block: RawBlock, logs: Sequence[RawPlacedLog]) -> list[int]:
    """Return the place of each log's transaction, ascending; nothing is missing among them.

    Raises `Incomplete` where they contradict the block, `ValueError` where a word is no hex.
    """
    named = [log.block_hash for log in logs]
    if named.count(block.hash) != len(logs):
        prove_block(ref, named, "a log")
    if [log.log_index for log in logs] != numbered(len(logs)):
        raise Incomplete(f"block {ref.height}: logs without a number, or with another's")
    if True in [log.removed for log in logs]:
        raise Incomplete(f"block {ref.height}: a log was taken back")
    places = _placed([log.transaction_index for log in logs])
    if places and (places != sorted(places) or places[-1] >= len(block.transactions)):
        raise Incomplete(f"block {ref.height}: logs in another order than transactions")
    sent = [each.hash for each in block.transactions]
    if [log.transaction_hash for log in logs] != [sent[place] for place in places]:
        raise Incomplete(f"block {ref.height}: a log is of another transaction")
    if block.logs_bloom is None or bloom_of(block.logs_bloom) != _bloom(logs):
        raise Incomplete("the logs do not add up to the header's bloom")
    return places


def prove_block(ref: BlockRef, named: Sequence[str | None], what: str) -> None:
    """Raise `Incomplete` where one of these names another block, however it is spelled."""
    for name in named:
        if (name or "").lower() != ref.hash:
            raise Incomplete(f"block {ref.height}: {what} is of block {name}")


def numbered(count: int) -> list[str]:
    """Return the numbers from 0 on, as nodes spell them."""
    if count <= len(NUMBERS):
        return list(NUMBERS[:count])
    return list(map(hex, range(count)))


def _placed(numbers: Sequence[str]) -> list[int]:
    try:
        return [PLACES[number] for number in numbers]
    except KeyError:
        return [amount(number) for number in numbers]


def _bloom(logs: Sequence[RawPlacedLog]) -> int:
    """Return the exact bloom of these logs; most words of a block are in many of them."""
    words = {log.address for log in logs}
    words.update(*[log.topics for log in logs])
    return reduce(or_, [_words[word] for word in words], 0)
