"""`watchers cancel` after `watchers reopen`: what had a cancel before may be taken back by a new wish."""

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from gateway.db import CROSS_TENANT
from gateway.models import Attempt, CancelRequest
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.reopening import reopened, rewritten
from tests.watchers.test_pay_outbids import ask_cancel, wait_blocks
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from tests.watchers.test_reopen_house import begun, canceled, only
from tests.watchers.test_reopen_payouts import again, books_fit
from watchers.pay import outbids
from watchers.pay.again import LANDED_FIRST
from watchers.pay.cancels import NotCanceled

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio
OF = ["payout", "refill"]
BLOCKS = 3


async def carried_out(d: Desk, of: str) -> tuple[Attempt, Attempt]:
    """Let an order land before its cancel, and its chain be rewritten; return both."""
    id_ = await d.request(31) if of == "payout" else (await begun(d, of)).order_id
    below = d.world.chain.head
    first, cancel = await canceled(d, id_)
    await only(d, first)
    await rewritten(d.world, d.world.chain.head - below)
    await reopened(d.world)
    await again(d)
    assert list(d.world.chain.pool) == [first.tx_hash], "what was carried out is sent alone"
    return first, cancel


@pytest.mark.parametrize("of", OF)
async def test_what_was_carried_out_before_its_chain_was_rewritten_is_taken_back(
    database: FreshDatabase, keystore_house: House, of: str
) -> None:
    """The wish of before is over; a new one sends the cancel that was signed then, and it ends it."""
    async with desk(database, keystore_house) as d:
        before, _ = await d.world.wallet("mer_1")
        first, cancel = await carried_out(d, of)
        await ask_cancel(d, first.order_id)
        with pytest.raises(NotCanceled, match="being canceled already"):
            await ask_cancel(d, first.order_id)
        await again(d)
        assert cancel.tx_hash in d.world.chain.pool
        with pytest.raises(NotCanceled, match="being canceled already"):
            await ask_cancel(d, first.order_id)
        await only(d, cancel)
        assert [each.state for each in await d.attempts()] == ["replaced", "succeeded"]
        with pytest.raises(NotCanceled, match="has ended"):
            await ask_cancel(d, first.order_id)
        assert (await d.world.wallet("mer_1"))[0] == before
        assert await d.world.chain.balance(DESTINATION) == 0
        assert await d.world.sum_is_zero()
        if of == "payout":
            assert (await d.withdrawal(first.order_id)).status == "failed"
            assert await books_fit(d)


@pytest.mark.parametrize("of", OF)
async def test_what_is_taken_back_after_a_reopening_and_lands_first_is_carried_out(
    database: FreshDatabase, keystore_house: House, of: str
) -> None:
    """Of the two one lands, and it is booked once."""
    async with desk(database, keystore_house) as d:
        first, _ = await carried_out(d, of)
        await ask_cancel(d, first.order_id)
        await again(d)
        await only(d, first)
        assert [each.state for each in await d.attempts()] == ["succeeded", "replaced"]
        assert await d.world.sum_is_zero()
        if of == "payout":
            assert (await d.withdrawal(first.order_id)).status == "completed"
            assert await d.world.chain.balance(DESTINATION) == AMOUNT
            assert await books_fit(d)


async def test_a_wish_that_nobody_has_closed_is_over_where_its_payment_had_landed(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Reopened before the payer looked: what was carried out is sent again, and nothing against it."""
    async with desk(database, keystore_house) as d:
        id_, chain = await d.request(33), d.world.chain
        below = chain.head
        first, _ = await canceled(d, id_)
        chain.pool = {}
        chain.mine_only([first.tx_hash or ""])
        await d.bury()
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            [wish] = (await session.scalars(select(CancelRequest))).all()
        assert (wish.answer, wish.ended_at is None) == (LANDED_FIRST, False)
        await again(d)
        assert list(chain.pool) == [first.tx_hash]


@pytest.mark.parametrize("of", OF)
async def test_no_fee_rises_beside_a_cancel_that_is_not_sent(
    database: FreshDatabase, keystore_house: House, of: str
) -> None:
    """The keystore raises none that was signed before the cancel, and that one nobody sends."""
    async with desk(database, keystore_house, bump_blocks=BLOCKS) as d:
        first, cancel = await carried_out(d, of)
        d.world.chain.pool = {}
        await wait_blocks(d, BLOCKS)
        with capture_logs() as logs:
            await d.payouts.round()
        assert [each.id for each in await d.attempts()] == [first.id, cancel.id]
        assert [each["reason"] for each in logs if "waits" in each["event"]] == [outbids.BARRED]
        await ask_cancel(d, first.order_id)
        await d.payouts.round()
        await wait_blocks(d, BLOCKS)
        await d.payouts.round()
        assert [each.purpose for each in await d.attempts()][1:] == ["cancel", "cancel"], (
            "its fee rises"
        )
