"""The reconciler's decisions, without a chain."""

from pathlib import Path

import pytest

from gateway.settings import SettingsError, load
from watchers.network import NATIVE, Incomplete, NodeUnavailable
from watchers.reconcile.balances import AnyNode, Holding, NoHistory, Observation
from watchers.reconcile.rules import (
    Borne,
    Expectation,
    Move,
    State,
    Tally,
    compare,
    first_wrong,
    known_at,
    standing,
    steps_back,
)

pytestmark = pytest.mark.anyio
A, B = Holding("0xa", NATIVE), Holding("0xb", "0xt")


@pytest.mark.parametrize(
    ("books", "addresses", "state"),
    [
        (Borne(0, 0), [], State.AGREED),
        (Borne(0, 5), [], State.AGREED),
        (Borne(5, 0), [], State.DRIFTING),
        (Borne(5, 5), [], State.ACKNOWLEDGED),
        (Borne(6, 5), [], State.DRIFTING),
        (Borne(0, 0), [Borne(-7, 0)], State.DRIFTING),
        (Borne(0, 0), [Borne(-7, -7)], State.ACKNOWLEDGED),
        (Borne(5, 5), [Borne(-7, -7), Borne(1, 0)], State.DRIFTING),
        (Borne(0, 0), [Borne(7, 0), Borne(-7, 0)], State.DRIFTING),
    ],
)
def test_drift_is_borne_only_as_it_was_acknowledged(
    books: Borne, addresses: list[Borne], state: State
) -> None:
    """Two drifts that cancel each other are two drifts."""
    assert standing(books, addresses) is state


@pytest.mark.parametrize(
    ("found", "expected", "verdict"),
    [
        (10, Expectation(10), "right"),
        (12, Expectation(10), 2),
        (7, Expectation(10), -3),
        (10, Expectation(10, gained=5), "open"),
        (15, Expectation(10, gained=5), "open"),
        (16, Expectation(10, gained=5), "open"),
        (9, Expectation(10, gained=5), -1),
        (6, Expectation(10, lost=4), "open"),
        (5, Expectation(10, lost=4), -1),
        (11, Expectation(10, lost=4), "open"),
        (3, Expectation(10, undecided=True), "open"),
        (None, Expectation(10), "open"),
    ],
)
def test_balance_is_judged_by_what_was_possible_while_it_was_read(
    found: int | None, expected: Expectation, verdict: str | int
) -> None:
    """In doubt nobody is credited, and only what can never have been is missing."""
    units = {} if found is None else {A: found}
    compared = compare([A], Observation(1, 9, units), {A: expected})
    assert list(compared.right) == ([A] if verdict == "right" else [])
    assert compared.open == ({NATIVE} if verdict == "open" else set())
    assert [each.units for each in compared.differences] == (
        [verdict] if isinstance(verdict, int) else []
    )


@pytest.mark.parametrize("wrong_from", [1, 2, 37, 999, 1000])
async def test_bisection_finds_the_block_in_few_questions(wrong_from: int) -> None:
    """Log2 of the distance."""
    asked = []

    async def wrong(height: int) -> bool:
        asked.append(height)
        return height >= wrong_from

    assert await first_wrong(0, 1000, wrong) == wrong_from
    assert len(asked) <= 10


def test_search_backwards_ends_at_the_first_block() -> None:
    """In steps that grow, so that a recent arrival is found by a recent state."""
    assert steps_back(1000, 0) == [992, 936, 488, 0]
    assert steps_back(5, 2) == [2]
    assert steps_back(2, 2) == []


def test_known_is_the_sum_up_to_a_height() -> None:
    """Later moves do not count."""
    moves = [Move(3, 10), Move(5, -4), Move(9, 1)]
    assert [known_at(moves, height) for height in (2, 3, 5, 9)] == [0, 10, 6, 7]


def test_tally_adds_up_by_asset() -> None:
    """An address that was looked at twice counts once."""
    tally = Tally()
    tally.drifts[A] = 5
    tally.drifts[A] = 6
    tally.drifts[B] = -1
    assert (tally.drift_of(NATIVE), tally.drift_of("0xt"), tally.drift_of("0xu")) == (6, -1, 0)


class Node:
    """Balances of one node that may be in trouble."""

    historic, credits, fee_is_alone = True, True, True

    def __init__(self, answer: Observation | Exception) -> None:
        self.answer = answer

    async def observe(self, wanted: object, height: int) -> Observation:
        """Answer or fail."""
        del wanted, height
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def beneficiary(self, height: int) -> str:
        """Answer or fail."""
        return (await self.observe([], height)).low.__str__()


async def test_observation_is_one_nodes_and_the_next_is_asked_after_trouble() -> None:
    """Also where a node has no history or does not know yet."""
    good = Node(Observation(1, 1, {A: 3}))
    for trouble in (NodeUnavailable("down"), NoHistory("pruned"), Incomplete("not yet")):
        nodes = AnyNode({"a": Node(trouble), "b": good}, lambda: ["a", "b"])
        assert (await nodes.observe([A], 1)).units == {A: 3}
        assert await nodes.beneficiary(1) == "1"
    alone = AnyNode({"a": Node(NoHistory("pruned"))}, lambda: ["a"])
    with pytest.raises(NoHistory):
        await alone.observe([A], 1)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('multicall = "0x12"', "networks.n.multicall"),
        ("reconcile_seconds = 0", "networks.n.reconcile_seconds"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, line: str, key: str) -> None:
    """At the start, in one line."""
    path = tmp_path / "config.toml"
    path.write_text(
        f"""[networks.n]
family = "ethereum"
display_name = "N"
identity = "1"
rpc_urls = ["http://127.0.0.1:1"]
test = true
{line}
[[networks.n.assets]]
code = "ETH"
decimals = 18
"""
    )
    with pytest.raises(SettingsError, match=key):
        load(path)
