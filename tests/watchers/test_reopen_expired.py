"""`watchers reopen` and payments that expire: what had on the old chain may land on the new one."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text

from gateway.db import CROSS_TENANT
from gateway.models import Attempt, ReopenedOrder
from tests.conftest import FreshDatabase
from tests.fakes.chain import BLOCK_SECONDS, GENESIS_TIME
from tests.keystore.house import House
from tests.watchers.reopening import ORDER, begin_again, reopened, rewritten
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from tests.watchers.test_reopen_payouts import books_fit, ended
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.pay import settler
from watchers.scan import reopen

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio
LATE_MS = 10**15


async def expires(d: Desk, after_height: int) -> None:
    """Let every transaction be one that expires between a block and the next but one."""
    at = GENESIS_TIME + timedelta(seconds=BLOCK_SECONDS * after_height + BLOCK_SECONDS + 1)
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        # No role but the owner's could, and not while the guard stands.
        await session.execute(text("ALTER TABLE attempt DISABLE TRIGGER attempt_guard"))
        for attempt in (await session.scalars(select(Attempt))).all():
            until = {"expiration_ms": int(at.timestamp() * 1000)}
            attempt.intent = {**attempt.intent, **until}
        await session.flush()
        await session.execute(text("ALTER TABLE attempt ENABLE ALWAYS TRIGGER attempt_guard"))


async def lapse(d: Desk) -> None:
    """Let it expire on the old chain, borne out by every node."""
    async with d.world.database.unit_of_work(CROSS_TENANT) as session:
        await settler.expire(session, NETWORK, LATE_MS, now())


@pytest.mark.parametrize("may_land", [True, False])
async def test_what_had_expired_on_the_old_chain_is_looked_for_on_the_new_one(
    database: FreshDatabase, keystore_house: House, *, may_land: bool
) -> None:
    """Paid there after all it is booked; what had expired below the fork already rests."""
    async with desk(database, keystore_house) as d:
        chain, id_ = d.world.chain, await d.request(11)
        await chain.mine(2)
        await d.payouts.round()
        waiting, chain.pool = chain.pool, {}
        below = chain.head
        await expires(d, below if may_land else below - 3)
        await d.bury()
        await lapse(d)
        assert (await d.withdrawal(id_)).status == "failed"
        before, _ = await d.world.wallet("mer_1")
        chain.pool = waiting if may_land else {}
        await rewritten(d.world, chain.head - below)
        plan = await reopened(d.world)
        assert [each.order_id for each in plan.orders] == [id_] * may_land
        await d.bury()
        assert (await d.withdrawal(id_)).status == ("completed" if may_land else "failed")
        assert (await d.world.wallet("mer_1"))[0] == before - AMOUNT * may_land
        assert await chain.balance(DESTINATION) == AMOUNT * may_land
        assert await books_fit(d)
        await lapse(d)


async def test_an_expiry_that_the_ledger_refuses_stops_nothing(
    database: FreshDatabase, keystore_house: House
) -> None:
    """What is paid and nothing reopened waits for a person, and the scan goes on."""
    async with desk(database, keystore_house) as d:
        chain = d.world.chain
        id_, tx_hash, below = await ended(d, 12, "failed")
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        chain.mine_only([tx_hash])
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        await expires(d, below)
        await rewritten(d.world, chain.head - below)
        journals = await d.world.journals()
        plan = await reopen.planned(d.world.scanner)
        await reopen.carry_out(d.world.owner, plan, ORDER, now())
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(ReopenedOrder))
        await begin_again(d.world)
        for _ in range(2):
            await lapse(d)
        [attempt] = [each for each in await d.attempts() if each.order_id == id_]
        assert (attempt.state, attempt.last_answer) == ("signed", settler.UNBOOKABLE)
        assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.journals() == journals
