"""Lean answers that are not the whole truth: a wrong one is incomplete, never less money."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.networks.ethereum.blocks import HEIGHT, TOKEN, assembled, payment
from tests.networks.ethereum.leaning import (
    END,
    FIRST,
    OTHER_HASH,
    OURS,
    RECEIPTS,
    STRANGERS,
    TOKENS,
    Json,
    answers,
    interest_in,
    leanly,
    paid,
    placed,
)
from watchers.network import Incomplete
from watchers.networks.ethereum.lean import survey
from watchers.networks.ethereum.wire import RawBlock, RawPlacedLog


def renumbered(logs: list[Json]) -> list[Json]:
    """Return the logs as if none had ever been left out."""
    return [log | {"logIndex": hex(position)} for position, log in enumerate(logs)]


def changed(logs: list[Json], at: int, **fields: Any) -> list[Json]:
    """Return the logs, one of them with other fields."""
    return [log | fields if n == at else log for n, log in enumerate(logs)]


LOG_FAULTS: dict[str, Callable[[list[Json]], list[Json]]] = {
    "case 33: none at all": lambda _: [],
    "case 33: the first is missing": lambda logs: logs[1:],
    "case 33: one in the middle is missing": lambda logs: [logs[0], *logs[2:]],
    "case 33: missing, the rest renumbered": lambda logs: renumbered([logs[0], *logs[2:]]),
    # Its words are in the log before it as well: no bloom tells.
    "case 33: the last is missing": lambda logs: logs[:-1],
    "case 34: of another block": lambda logs: changed(logs, 1, blockHash=OTHER_HASH),
    "case 34: of no block": lambda logs: changed(logs, 1, blockHash=None),
    "case 34: taken back": lambda logs: changed(logs, 1, removed=True),
    "of another transaction": lambda logs: changed(logs, 1, transactionHash=END),
    "at another transaction": lambda logs: changed(logs, 1, transactionIndex="0x0"),
    "behind the last transaction": lambda logs: changed(logs, 3, transactionIndex="0x9"),
    "at no place": lambda logs: changed(logs, 1, transactionIndex="none"),
    "in another order": lambda logs: renumbered([*logs[2:], *logs[:2]]),
    "twice": lambda logs: renumbered([*logs, logs[-1]]),
    "another amount": lambda logs: changed(logs, 1, data=f"0x{9:064x}"),
    "another recipient": lambda logs: changed(logs, 1, topics=logs[0]["topics"]),
    "topics that are no hex": lambda logs: changed(logs, 1, topics=["0xzz"]),
}


@pytest.mark.parametrize("fault", LOG_FAULTS.values(), ids=LOG_FAULTS)
def test_case_33_logs_that_are_not_all_are_refused(
    fault: Callable[[list[Json]], list[Json]],
) -> None:
    """What the block, its bloom and the receipts do not bear out is incomplete, never less money."""
    block, logs, receipts = answers()
    with pytest.raises(Incomplete):
        leanly(block, fault(logs), receipts, interest_in(OURS))


@pytest.mark.parametrize("lost", [0, 1])
def test_case_33_a_payment_whose_words_repeat_is_not_lost(lost: int) -> None:
    """Without one of two alike no bloom tells: its number does, or the receipts behind the last."""
    twice = (payment(n, to=STRANGERS[0], logs=[paid(OURS[0])]) for n in (1, 2))
    block, logs, receipts = placed(*assembled(*twice, payment(3)))
    assert len(leanly(block, logs, receipts, interest_in(OURS)).transfers) == 2
    del logs[lost]
    with pytest.raises(Incomplete):
        leanly(block, logs, receipts, interest_in(OURS))


RECEIPT_FAULTS: dict[str, tuple[str, Json]] = {
    "of another transaction": (FIRST, {"transactionHash": END}),
    "case 34: of another block": (FIRST, {"blockHash": OTHER_HASH}),
    "at another place": (FIRST, {"transactionIndex": "0x1"}),
    "without status": (FIRST, {"status": None}),
    "with an unknown status": (FIRST, {"status": "0x2"}),
    "without its logs": (TOKENS, {"logs": []}),
    "with one log less": (TOKENS, {"logs": RECEIPTS[1]["logs"][:1]}),
    "with another bloom": (TOKENS, {"logsBloom": RECEIPTS[3]["logsBloom"]}),
    "with a later log": (END, {"logs": [RECEIPTS[1]["logs"][0] | {"logIndex": "0x4"}]}),
    "with gas left in the block": (END, {"cumulativeGasUsed": "0x5208"}),
    "with gas that is none": (FIRST, {"gasUsed": "many"}),
}


@pytest.mark.parametrize(("name", "change"), RECEIPT_FAULTS.values(), ids=RECEIPT_FAULTS)
def test_receipts_that_prove_nothing_are_refused(name: str, change: Json) -> None:
    """Each has to be of its transaction, tell its end, and repeat its logs."""
    block, logs, receipts = answers()
    receipts[name] |= change
    with pytest.raises(Incomplete):
        leanly(block, logs, receipts, interest_in(OURS))


def without_the_last(block: Json) -> None:
    """Cut the list of transactions."""
    block["transactions"].pop()


def with_the_first_again(block: Json) -> None:
    """Put one transaction in the place of another."""
    block["transactions"][2] = dict(block["transactions"][0])


BLOCK_FAULTS: dict[str, Callable[[Json], Any]] = {
    "a transaction less": without_the_last,
    "no transactions": lambda block: block["transactions"].clear(),
    "a transaction twice": with_the_first_again,
    "a transaction of another block": lambda block: block["transactions"][2].update(
        blockHash=OTHER_HASH
    ),
    "no bloom": lambda block: block.pop("logsBloom"),
    "an empty bloom": lambda block: block.update(logsBloom="0x" + "00" * 256),
    "a bloom of more": lambda block: block.update(logsBloom="0x" + "ff" * 256),
    "no gas": lambda block: block.pop("gasUsed"),
    "another height": lambda block: block.update(number="0x8"),
}


@pytest.mark.parametrize("fault", BLOCK_FAULTS.values(), ids=BLOCK_FAULTS)
def test_blocks_that_contradict_their_logs_are_refused(fault: Callable[[Json], Any]) -> None:
    """A list of transactions that ends early leaves gas that nobody used."""
    block, logs, receipts = answers()
    asked = interest_in(OURS)
    fault(block)
    with pytest.raises(Incomplete):
        leanly(block, logs, receipts, asked)


def test_fewer_receipts_than_asked_for_are_refused() -> None:
    """An answer that was cut."""
    block, logs, _ = answers()
    typed = msgspec.convert(logs, list[RawPlacedLog])
    found = survey(HEIGHT, msgspec.convert(block, RawBlock), typed, interest_in(OURS))
    with pytest.raises(Incomplete, match="receipts for"):
        found.decode([], frozenset({TOKEN}))
