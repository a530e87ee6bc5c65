"""`watchers reopen` and sweeps: what they did not move after all waits at its address again."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from gateway.db import CROSS_TENANT
from gateway.models import Deposit, ReopenedOrder, Sweep, Unswept
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.reopening import doom, reopened, rewritten
from tests.watchers.test_payouts import AMOUNT, Desk, desk, keystore_house
from tests.watchers.test_reopen_house import begun
from tests.watchers.test_reopen_payouts import again
from tests.watchers.world import ETH, NETWORK, PUBLIC_URL, pool_row
from watchers.clock import now
from watchers.sweep import keeper, turned

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio


def followed(d: Desk) -> None:
    """Have the house's orders followed, as the watcher and the command do."""
    for each in (d.world.database, d.world.owner):
        keeper.register(each, PUBLIC_URL)


async def moving(d: Desk) -> Sweep:
    """Put a sweep whose coins are on their way into the hot wallet."""
    followed(d)
    order, at = await begun(d, "sweep"), now().at
    row = Sweep(
        id="swp_1", network_id=NETWORK, currency_id=ETH, address=order.sender, pool_index=7,
        destination=d.world.hot, units=AMOUNT, since=at, reason="-", state="moving", steps=1,
        cost_units=0, returned_units=0, order_id=order.order_id, moving_order=order.order_id,
        created_at=at, updated_at=at,
    )  # fmt: skip
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        session.add(row)
    await d.payouts.round()
    return row


async def end_sweep(d: Desk) -> None:
    """Let the next round of sweeping find that nothing is left to do."""
    values = {"state": "done", "ended_at": now().at}
    async with d.world.database.unit_of_work(CROSS_TENANT) as session:
        await session.execute(update(Sweep).where(Sweep.order_id.is_(None)).values(**values))


async def sweep_of(d: Desk) -> tuple[Sweep, list[Unswept]]:
    """Return the sweep, and what waits at its address."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        found = await session.get_one(Sweep, "swp_1")
        query = select(Unswept).where(Unswept.address == found.address)
        return found, list(await session.scalars(query))


@pytest.mark.parametrize("over", [True, False], ids=["ended", "about to end"])
async def test_what_a_sweep_did_not_move_on_the_new_chain_waits_again(
    database: FreshDatabase, keystore_house: House, *, over: bool
) -> None:
    """It had failed after all; what was forgotten there is noted where it is credited anew."""
    async with desk(database, keystore_house) as d:
        chain, row = d.world.chain, await moving(d)
        below = chain.head
        await d.bury()
        if over:
            await end_sweep(d)
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            forgotten = update(Deposit).values(address=row.address, units=1, reversals=1)
            await session.execute(
                forgotten.where(Deposit.merchant_id == "mer_1", Deposit.currency_id == ETH)
            )
        await again(d)
        doom(chain)
        await d.bury()
        await d.payouts.round()
        found, waiting = await sweep_of(d)
        assert found.failure_reason == turned.NOT_MOVED
        if not over:
            assert (found.state, waiting) == ("moving", [])
            return
        assert found.state == "failed"
        [left] = waiting
        assert (left.units, left.reason) == (AMOUNT - 1, turned.NOT_MOVED)
        assert left.not_before is not None


async def test_a_sweep_that_moves_on_the_new_chain_what_it_had_not_is_done(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It had failed: what it had left is looked at and found to be gone."""
    async with desk(database, keystore_house) as d:
        chain, row = d.world.chain, await moving(d)
        below = chain.head
        raw = dict(chain.pool)
        doom(chain)
        await d.bury()
        failed = {"state": "failed", "failure_reason": "-", "ended_at": now().at}
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Sweep).values(**failed))
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        chain.pool = raw
        await d.bury()
        found, waiting = await sweep_of(d)
        assert (found.id, found.state, found.failure_reason) == (row.id, "done", None)
        assert waiting == []


async def test_a_sweep_that_has_ended_is_changed_only_where_its_chain_judges_it_again(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The database holds it, whatever a process writes; and then its end alone changes."""
    async with desk(database, keystore_house) as d:
        row = await moving(d)
        await d.bury()
        await end_sweep(d)
        for reopen in (False, True):
            if reopen:
                async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
                    session.add(
                        ReopenedOrder(
                            order_id=row.moving_order, network_id=NETWORK, reopened_at=now().at
                        )
                    )
            for values in (
                {"state": "failed"},
                {"units": 5},
                {"state": "moving", "ended_at": None},
            ):
                if reopen and values == {"state": "failed"}:
                    continue
                with pytest.raises(IntegrityError, match="an ended one rests"):
                    async with d.world.database.unit_of_work(CROSS_TENANT) as session:
                        await session.execute(update(Sweep).values(**values))
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Sweep).values(state="failed", failure_reason="-"))


async def test_gas_that_was_sent_ahead_is_noted_once_whichever_chain_shows_it(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It lies at its address once, and so it waits there."""
    async with desk(database, keystore_house) as d:
        followed(d)
        chain, order = d.world.chain, await begun(d, "top_up")
        address = str(order.intent["to"])
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(pool_row(7, address))
        below = chain.head
        await d.payouts.round()
        await d.bury()
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        await again(d)
        await d.bury()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            [left] = await session.scalars(select(Unswept).where(Unswept.address == address))
        assert (left.units, await chain.balance(address)) == (AMOUNT, AMOUNT)
