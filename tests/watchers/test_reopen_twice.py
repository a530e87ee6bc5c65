"""`watchers reopen` more than once: a chain that goes back and forth is followed, and so is what is shown."""

from dataclasses import replace

import pytest

from gateway.db import CROSS_TENANT
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.reopening import reopened, rewritten
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from tests.watchers.test_reopen_payouts import books_fit, ended
from tests.watchers.test_reopen_swept import end_sweep, moving, sweep_of
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.pay import settler, transactions

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio


async def lands(
    d: Desk, tx_hash: str, below: int, *, doomed: bool = False, dearer: int = 0
) -> None:
    """Rewrite the chain from above a height on, where the same bytes end and cost what is said."""
    chain = d.world.chain
    await rewritten(d.world, chain.head - below)
    await reopened(d.world)
    again = chain.receive(chain.broadcasts[tx_hash])
    price = again.gas_price + dearer
    chain.pool = {tx_hash: replace(again, doomed=doomed, gas_price=price)}
    await d.bury()


async def test_a_withdrawal_turns_as_often_as_its_chain_is_rewritten(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Paid, not paid, paid, not paid: each turn has a journal of its own, and no person is needed."""
    async with desk(database, keystore_house) as d:
        before = await d.world.wallet("mer_1")
        id_, tx_hash, below = await ended(d, 1, "completed")
        for paid in (False, True, False):
            await lands(d, tx_hash, below, doomed=not paid)
            row = await d.withdrawal(id_)
            assert (row.status, row.blocked_reason) == ("completed" if paid else "failed", None)
            spent = AMOUNT if paid else 0
            assert await d.world.wallet("mer_1") == (before[0] - spent, 0)
            assert await d.world.chain.balance(DESTINATION) == spent
            assert await books_fit(d)
        turns = [ref for kind, ref in await d.world.journals() if kind == "reversal"]
        assert turns == [id_, f"{id_}#2", f"{id_}#3"]
        told = (await d.world.events(id_))[1:]
        assert told == [f"withdrawal.{each}" for each in ("completed", "failed") * 2]


async def test_what_was_missing_at_one_turn_is_given_to_nobody_at_the_next(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A merchant had spent most of its hold when it was paid after all: it gets back what was taken."""
    async with desk(database, keystore_house) as d:
        id_, tx_hash, below = await ended(d, 3, "failed")
        confirmed, _ = await d.world.wallet("mer_1")
        kept = AMOUNT // 4
        await d.request(4, units=confirmed - kept)
        for _ in range(2):
            await lands(d, tx_hash, below)
            assert (await d.withdrawal(id_)).status == "completed"
            assert (await d.world.wallet("mer_1"))[0] == 0
            assert await d.world.wallet("suspense") == (kept - AMOUNT, 0)
            await lands(d, tx_hash, below, doomed=True)
            assert (await d.withdrawal(id_)).status == "failed"
            assert (await d.world.wallet("mer_1"))[0] == kept
            assert await d.world.wallet("suspense") == (0, 0)
            assert await books_fit(d)


async def test_what_is_shown_of_a_fee_is_what_the_standing_chain_took(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Nothing while it waits there, its own price where it lands, nothing where it never does."""
    async with desk(database, keystore_house) as d:
        id_, tx_hash, below = await ended(d, 2, "completed")
        first = (await d.withdrawal(id_)).network_fee_units
        assert first is not None
        chain = d.world.chain
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        assert (await d.withdrawal(id_)).network_fee_units is None
        await lands(d, tx_hash, below, dearer=7)
        second = (await d.withdrawal(id_)).network_fee_units
        assert second == -(await d.world.wallet("expense"))[0]
        assert second > first
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            [attempt] = await transactions.in_state(session, NETWORK, "signed")
            await settler.lapse(session, attempt, now())
        assert (await d.withdrawal(id_)).network_fee_units is None
        assert await d.world.wallet("expense") == (0, 0)


@pytest.mark.parametrize("over", [True, False], ids=["ended", "about to end"])
async def test_a_sweep_shows_what_the_standing_chain_took_for_it(
    database: FreshDatabase, keystore_house: House, *, over: bool
) -> None:
    """Not both chains' fees, and not the one's that is gone."""
    async with desk(database, keystore_house) as d:
        chain, row = d.world.chain, await moving(d)
        [tx_hash], below = chain.pool, chain.head
        await d.bury()
        if over:
            await end_sweep(d)
        first, _ = await sweep_of(d)
        assert (first.id, first.cost_units) == (row.id, -(await d.world.wallet("expense"))[0])
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        assert (await sweep_of(d))[0].cost_units == 0
        await lands(d, tx_hash, below, dearer=7)
        second, _ = await sweep_of(d)
        assert second.cost_units == -(await d.world.wallet("expense"))[0]
        assert second.cost_units > first.cost_units > 0
