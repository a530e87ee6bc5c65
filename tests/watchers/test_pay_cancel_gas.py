"""A cancel that its address cannot pay yet keeps its bid: nobody was given it, so nobody declined it."""

import pytest
from sqlalchemy import update

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_pay_outbids import ask_cancel, fees, wait_blocks
from tests.watchers.test_payouts import Desk, desk, keystore_house
from tests.watchers.test_reopen_house import begun
from watchers.network import NATIVE
from watchers.pay.replacing import bid

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio
BLOCKS = 3


async def unpaid(d: Desk) -> str:
    """Have a sweep taken back whose address holds nothing any more; return the address."""
    d.writer.manner = Broadcast.REFUSE
    order = await begun(d, "sweep")
    await d.payouts.round()
    d.world.chain.state.balances[order.sender, NATIVE] = 0
    await ask_cancel(d, order.order_id)
    await pass_by(d)
    return order.sender


async def pass_by(d: Desk) -> None:
    """Let rounds go by, each long after the one before, and send all again in each."""
    for _ in range(4):
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Attempt).values(last_broadcast_at=None))
        await d.payouts.round()
        await wait_blocks(d, BLOCKS)


async def purposes(d: Desk) -> list[str]:
    """Return what stands in the one place, in its order."""
    return [each.purpose for each in await d.attempts()]


async def test_a_cancel_that_waits_for_its_gas_keeps_its_bid(
    database: FreshDatabase, keystore_house: House
) -> None:
    """However many blocks pass: each bid is a row of the keystore's journal, and asks for more gas."""
    async with desk(database, keystore_house, bump_blocks=BLOCKS) as d:
        address = await unpaid(d)
        assert await purposes(d) == ["sweep", "cancel"]
        first = (await d.attempts())[-1]
        await d.world.chain.pay(address, bid(first.intent))
        await d.payouts.round()
        assert await purposes(d) == ["sweep", "cancel"], "its time begins when it can be paid"
        await pass_by(d)
        assert await purposes(d) == ["sweep", "cancel", "cancel"], "the next one waits for more"


async def test_a_cancel_of_the_hot_wallet_is_raised_whatever_a_node_says_that_it_holds(
    database: FreshDatabase, keystore_house: House
) -> None:
    """All later payouts wait behind it, and nobody feeds that wallet for its sake."""
    async with desk(database, keystore_house, bump_blocks=BLOCKS) as d:
        d.writer.manner = Broadcast.REFUSE
        withdrawal_id = await d.request()
        await d.payouts.round()
        [payment] = await d.attempts()
        await ask_cancel(d, withdrawal_id)
        d.world.chain.state.balances[payment.sender, NATIVE] = 0
        await pass_by(d)
        assert (await purposes(d))[1:3] == ["cancel", "cancel"]


async def test_a_bid_that_the_market_has_passed_is_raised_before_its_gas_is_there(
    database: FreshDatabase, keystore_house: House
) -> None:
    """No block takes it any more: so much it would lack in any case."""
    async with desk(database, keystore_house, bump_blocks=BLOCKS) as d:
        await unpaid(d)
        first = (await d.attempts())[-1]
        d.writer.base_fee_wei = 2 * fees(first)[0]
        await pass_by(d)
        assert await purposes(d) == ["sweep", "cancel", "cancel"]
        assert fees((await d.attempts())[-1])[0] > d.writer.base_fee_wei
