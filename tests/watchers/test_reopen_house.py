"""`watchers reopen` and orders of the house, whose cancels are transactions like any other."""

from datetime import timedelta

import pytest

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.reopening import reopened, rewritten
from tests.watchers.test_pay_adoption import house_order, number_the_house
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from tests.watchers.test_reopen_payouts import again, books_fit
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.pay import cancels, displaced
from watchers.pay.transactions import HouseOrder, begin

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio


async def canceled(d: Desk, order_id: str) -> tuple[Attempt, Attempt]:
    """Sign and send an order and its cancel; return both."""
    await d.payouts.round()
    async with d.world.database.unit_of_work(CROSS_TENANT) as session:
        await cancels.ask(session, NETWORK, order_id, "ada", now(), patience=timedelta(0))
    await d.payouts.round()
    first, cancel = [each for each in await d.attempts() if each.order_id == order_id]
    assert (first.state, cancel.state, cancel.purpose) == ("signed", "signed", "cancel")
    return first, cancel


async def only(d: Desk, landed: Attempt) -> None:
    """Let one of them land, and nothing else, in what becomes a final block."""
    d.world.chain.pool = {}
    d.world.chain.mine_only([landed.tx_hash or ""])
    d.world.chain.pool = {}
    await d.bury()
    await d.payouts.round()


async def begun(d: Desk, purpose: str) -> HouseOrder:
    """Begin an order of the house whose sender has been paid in a final block."""
    await number_the_house(d)
    order = await house_order(d, d.payouts.keystore, purpose, f"hse_{d.first_nonce}")
    await d.bury()
    async with d.world.database.unit_of_work(CROSS_TENANT) as session:
        await begin(session, NETWORK, order, now())
    return order


@pytest.mark.parametrize("counted", ["payment", "cancel"])
async def test_of_an_order_of_the_house_whatever_lands_on_the_new_chain_ends_it(
    database: FreshDatabase, keystore_house: House, counted: str
) -> None:
    """What was carried out is sent again and its cancel never; either is seen, with its own fee."""
    async with desk(database, keystore_house) as d:
        order_id = (await begun(d, "refill")).order_id
        below, spent = d.world.chain.head, (await d.world.wallet("expense"))[0]
        first, cancel = await canceled(d, order_id)
        before, lands = (first, cancel) if counted == "payment" else (cancel, first)
        await only(d, before)
        states = {each.id: each.state for each in await d.attempts()}
        assert (states[before.id], states[lands.id]) == ("succeeded", "replaced")
        d.world.chain.pool = {}
        await rewritten(d.world, d.world.chain.head - below)
        await reopened(d.world)
        await again(d)
        assert list(d.world.chain.pool) == [before.tx_hash]
        await only(d, lands)
        states = {each.id: each.state for each in await d.attempts()}
        assert (states[lands.id], states[before.id]) == ("succeeded", "replaced")
        [landed] = [each for each in await d.attempts() if each.id == lands.id]
        fee = landed.payer_spent_units or 0
        assert (await d.world.wallet("expense"))[0] == spent - fee
        assert await d.world.sum_is_zero()


async def test_a_cancel_that_is_only_looked_for_is_not_sent_where_its_block_goes_too(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Seen in a block of the new chain that was not final: what was carried out is sent again."""
    async with desk(database, keystore_house) as d:
        chain, order = d.world.chain, await begun(d, "refill")
        below = chain.head
        first, cancel = await canceled(d, order.order_id)
        await only(d, first)
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        place = await displaced.place_of(d.world.database, NETWORK, order.order_id)
        assert place.nonce == first.nonce, "a person may name what took its place"
        chain.mine_only([cancel.tx_hash or ""])
        await d.world.scan()
        assert [each.state for each in await d.attempts()] == ["signed", "included"]
        chain.fork(1, keep=[])
        await chain.mine()
        await d.world.scan()
        assert [each.state for each in await d.attempts()] == ["signed", "replaced"]
        await again(d)
        assert list(chain.pool) == [first.tx_hash]
        await only(d, first)
        assert [each.state for each in await d.attempts()] == ["succeeded", "replaced"]


async def test_a_payout_that_had_been_canceled_and_is_paid_on_the_new_chain_is_paid(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Its hold had been given back: it is taken from the merchant again, once."""
    async with desk(database, keystore_house) as d:
        before, _ = await d.world.wallet("mer_1")
        id_, below = await d.request(21), d.world.chain.head
        payment, cancel = await canceled(d, id_)
        await only(d, cancel)
        assert (await d.withdrawal(id_)).status == "failed"
        await rewritten(d.world, d.world.chain.head - below)
        await reopened(d.world)
        await again(d)
        assert list(d.world.chain.pool) == [cancel.tx_hash]
        await only(d, payment)
        assert [each.state for each in await d.attempts()] == ["succeeded", "replaced"]
        assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        assert await d.world.wallet("mer_1") == (before - AMOUNT, 0)
        assert await books_fit(d)
