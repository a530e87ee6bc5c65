"""A payment inside a contract whose ordinal was another when its row was written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from msgspec.structs import replace as renamed

from tests.conftest import FreshDatabase
from tests.fakes.chain import Move
from tests.fakes.network import FakeReader
from tests.watchers.test_rescan_disputes import rescan
from tests.watchers.world import DUE_UNITS, world
from watchers.network import NATIVE, Block, Transfer
from watchers.scan.same import as_known

pytestmark = pytest.mark.anyio
TX = "0x01"


@dataclass(slots=True)
class Shifted(FakeReader):
    """Lists something else before what moved inside contracts, as an older node did."""

    by: int = 0

    async def read(self, height: int) -> Block:
        """Count from another place."""
        block = self.chain.block(height).seen(self.tokens)
        moved = [
            renamed(each, ordinal=each.ordinal + self.by) if each.kind == "internal" else each
            for each in block.transfers
        ]
        return replace(block, transfers=tuple(moved))


@pytest.mark.parametrize("final", [True, False])
async def test_a_payment_read_again_under_another_ordinal_counts_once(
    database: FreshDatabase, *, final: bool
) -> None:
    """Two alike in one transaction are two, and one that was missed beside them is new."""
    async with world(database) as w:
        tokens = frozenset({w.chain.token})
        w.scanner.reader = Shifted(w.chain, 1, tokens, by=1)
        w.chain.final_stalled = None if final else 0
        inner = [Move(w.assigned, units, kind="internal") for units in (DUE_UNITS, 7, 7)]
        w.chain.submit(inner)
        await w.chain.mine(4)
        await w.scan()
        before = {each.id: (each.ordinal, each.units) for each in await w.deposits()}
        assert sorted(before.values()) == [(1, DUE_UNITS), (2, 7), (3, 7)]
        found = await rescan(w, FakeReader(w.chain, 1, tokens), 1, 4)
        assert (found.deposits, found.changed) == (0, 0)
        assert {each.id: (each.ordinal, each.units) for each in await w.deposits()} == before
        w.chain.final_stalled = None
        await w.chain.mine()
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS + 14, 0)


def inner(*moves: tuple[int, str, int], tx: str = TX) -> list[Transfer]:
    """Return payments as (ordinal, recipient, units)."""
    return [Transfer(tx, "internal", place, NATIVE, "", to, n) for place, to, n in moves]


@pytest.mark.parametrize(
    ("rows", "shown", "named"),
    [
        ([(1, "a", 5)], [(0, "a", 5)], [1]),
        ([(1, "a", 5), (2, "a", 7)], [(0, "a", 5), (1, "a", 7)], [1, 2]),
        ([(2, "a", 5)], [(1, "a", 5), (2, "a", 5)], [1, 2]),
        ([(1, "a", 5)], [(0, "a", 5), (1, "b", 7)], [1, 2]),
        ([(1, "a", 5)], [(1, "a", 9)], [1]),
        ([(1, "a", 5)], [(0, "a", 9)], [0]),
        ([], [(0, "a", 5), (1, "a", 5)], [0, 1]),
    ],
    ids=["shifted", "each", "one more", "one missed", "disputed", "other", "unknown"],
)
def test_payments_are_known_by_what_they_say(
    rows: Sequence[tuple[int, str, int]],
    shown: Sequence[tuple[int, str, int]],
    named: Sequence[int],
) -> None:
    """As many as there are rows; what goes beyond that keeps or gets an ordinal of its own."""
    assert [each.ordinal for each in as_known(inner(*shown), inner(*rows))] == named


def test_other_transactions_and_kinds_keep_their_ordinals() -> None:
    """A plain transfer of the same amount is another payment."""
    plain = Transfer(TX, "native", 0, NATIVE, "", "a", 5)
    [other] = inner((0, "a", 5), tx="0x02")
    assert as_known([plain, other], inner((1, "a", 5))) == [plain, other]
