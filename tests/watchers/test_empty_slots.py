"""Another branch on which the slots of our own blocks are empty."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from tests.conftest import FreshDatabase
from tests.fakes.slots import SlotReader, slot_of
from tests.watchers.reopening import ORDER, halted
from tests.watchers.test_scan import slots
from tests.watchers.world import DUE_UNITS, World, world
from watchers.clock import now
from watchers.network import Block, ChainReader, Incomplete, Tip
from watchers.scan import reopen

pytestmark = pytest.mark.anyio
EIGHTH = 8
"""The last block of our branch; its slot is 12."""


@dataclass(slots=True)
class Late(SlotReader):
    """Shows every block from number `first` on one slot later."""

    first: int = EIGHTH

    def _slot(self, number: int) -> int:
        return slot_of(number) + (number >= self.first)

    async def tip(self) -> Tip:
        """Return the slots of the newest and the newest final block."""
        return Tip(self._slot(self.chain.head), self._slot(self.chain.final))

    async def produced(self, first: int, last: int) -> Sequence[int]:
        """List the slots that hold a block."""
        every = (self._slot(number) for number in range(self.chain.head + 1))
        return [slot for slot in every if first <= slot <= last]

    def _at_or_above(self, height: int) -> Block:
        for number in range(self.chain.head + 1):
            if self._slot(number) >= height:
                block = self.chain.block(number).seen(self.tokens)
                return replace(block, ref=replace(block.ref, height=self._slot(number)))
        raise Incomplete(f"slot {height}: not there yet")


async def paid_in_slot_12(w: World) -> None:
    """Scan a payment in the last block of our branch."""
    await slots(w)
    await w.chain.mine(EIGHTH - 1)
    await w.pay(w.assigned, DUE_UNITS, final=False)
    assert w.scanner.position.height == slot_of(EIGHTH)


async def nowhere(reader: ChainReader, tx_hash: str) -> int | None:
    """Know no transaction."""
    await reader.tip()
    assert tx_hash
    return None


async def test_a_block_whose_slot_is_empty_on_the_new_branch_is_rolled_back(
    database: FreshDatabase,
) -> None:
    """That a node has no block there is no reason to wait for one for ever."""
    async with world(database) as w:
        await paid_in_slot_12(w)
        w.chain.fork(1, keep=[])
        await w.chain.mine()
        w.scanner.reader = Late(w.chain, frozenset({w.chain.token}))
        for _ in range(3):
            await w.scan()
        assert [each.status for each in await w.deposits()] == ["reorged"]
        assert w.scanner.position.height == slot_of(EIGHTH + 1) + 1


async def test_below_finality_it_halts_and_the_way_out_forgets_it(
    database: FreshDatabase,
) -> None:
    """A slot that is empty there is another block than ours."""
    async with world(database) as w:
        await paid_in_slot_12(w)
        await w.chain.mine(2)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        w.chain.fork(3, keep=[])
        await w.chain.mine(2)
        w.scanner.reader = Late(w.chain, frozenset({w.chain.token}))
        await halted(w)
        w.scanner.locate = nowhere
        plan = await reopen.planned(w.scanner)
        assert (plan.fork.base.height, len(plan.gone)) == (slot_of(EIGHTH - 1), 1)
        await reopen.carry_out(w.owner, plan, ORDER, now())
        assert await w.wallet("mer_1") == (0, 0)
