"""Deposits that come back after `watchers reopen`: as if they were new, and never counted twice."""

import pytest
from sqlalchemy import update

from gateway.db import CROSS_TENANT
from gateway.models import Deposit
from tests.conftest import FreshDatabase
from tests.fakes.chain import FakeTransaction
from tests.watchers.reopening import begin_again, reopened, rewritten
from tests.watchers.test_counted_once import credit_difference
from tests.watchers.test_desk import bureau
from tests.watchers.world import DUE_UNITS, World, world

pytestmark = pytest.mark.anyio
PART = 10**17


async def taken_back(w: World, fork: int) -> dict[str, FakeTransaction]:
    """Reopen where the new chain has nothing above a block; return what stood there."""
    blocks = w.chain.blocks[fork + 1 :]
    lost = {tx.tx_hash: tx for block in blocks for tx, _ in block.transactions}
    await rewritten(w, w.chain.head - fork)
    await reopened(w)
    assert await w.wallet("custody") == (0, 0)
    return lost


async def back(w: World, lost: dict[str, FakeTransaction], depth: int = 4) -> None:
    """Let it stand in blocks of the new chain."""
    w.chain.pool = lost
    await w.chain.mine(depth)
    await begin_again(w)


async def test_dust_that_an_operator_gave_to_its_own_invoice_is_its_again(
    database: FreshDatabase,
) -> None:
    """A decision is made once: nobody could make it again."""
    async with bureau(database, minimum=DUE_UNITS) as b:
        w = b.world
        await w.chain.mine(3)
        fork = w.chain.head
        await w.pay(w.assigned, 7)
        [row] = await b.unattributed()
        await b.resolved(row["id"], "assign", merchant_id="mer_1", invoice_id="inv_1")
        await back(w, await taken_back(w, fork))
        [deposit] = await w.deposits()
        assert (deposit.status, deposit.purpose, deposit.invoice_id, deposit.reason) == (
            *("confirmed", "invoice"),
            *("inv_1", None),
        )
        assert await w.wallet("mer_1") == (7, 0)
        assert await w.wallet("suspense") == (0, 0)


async def test_dust_that_was_credited_before_may_be_nobodys_now(
    database: FreshDatabase,
) -> None:
    """What its journals said of the old chain does not hold it where it waits on the new one."""
    async with world(database, minimum=DUE_UNITS) as w:
        small = DUE_UNITS * 6 // 10
        await w.chain.mine(3)
        fork = w.chain.head
        first = await w.pay(w.assigned, small)
        second = await w.pay(w.assigned, small)
        assert await w.wallet("mer_1") == (2 * small, 0)
        lost = await taken_back(w, fork)
        await back(w, {first: lost[first]})
        assert await w.wallet("suspense") == (small, 0)
        w.chain.final_lag = 5
        await back(w, {second: lost[second]}, 1)
        assert {each.invoice_id for each in await w.deposits()} == {"inv_1"}
        w.chain.fork(1, keep=[])
        await w.chain.mine(7)
        for _ in range(2):
            await w.scan()
        rows = {each.tx_hash: each for each in await w.deposits()}
        assert (rows[first].invoice_id, rows[first].reason) == (None, "below_minimum")
        assert rows[second].status == "reorged"
        assert await w.wallet("suspense") == (small, 0)
        assert await w.wallet("mer_1") == (0, 0)
        w.chain.final_lag = 2
        await back(w, {second: lost[second]})
        assert await w.wallet("mer_1") == (2 * small, 0)
        assert await w.wallet("suspense") == (0, 0)
        assert await w.sum_is_zero()


async def test_what_a_difference_of_balances_has_credited_meanwhile_does_not_come_back(
    database: FreshDatabase,
) -> None:
    """The money was there, and no block showed it: it is the merchant's once."""
    async with world(database) as w:
        await w.chain.mine(3)
        fork = w.chain.head
        await w.pay(w.assigned, PART)
        lost = await taken_back(w, fork)
        await credit_difference(w, PART)
        assert await w.wallet("mer_1") == (PART, 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            found = update(Deposit).where(Deposit.kind == "balance")
            await session.execute(found.values(block_height=w.chain.head + 9))
        await back(w, lost)
        shown = next(each for each in await w.deposits() if each.kind != "balance")
        assert (shown.status, shown.reason) == ("rejected", "counted_as_balance")
        assert await w.wallet("mer_1") == (PART, 0)
