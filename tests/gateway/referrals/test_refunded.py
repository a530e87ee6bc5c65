"""A refund takes the commissions back of what it undoes wholly, and of nothing else."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.db import CROSS_TENANT, Database
from gateway.referrals.sharing import share_round
from gateway.referrals.undoing import undo_round
from tests.gateway.referrals.market import balances, bought, spent
from tests.gateway.referrals.test_circles import pots
from tests.gateway.referrals.test_sharing import customers
from tests.gateway.referrals.test_unpaid import counters
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio

_ASKED = """
INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, fee_units, destination,
    status, created_by, created_at, updated_at, invoice_id, refund_kind)
SELECT :id, merchant_id, false, 'USDC-ETHEREUM', 'ethereum', :units, 0, '0xthere', 'confirming', 'x', now(),
    now(), id, 'remainder' FROM invoice WHERE id = :invoice
"""


async def refunded(shop: Shop, worker: Database, invoice: str, units: int) -> None:
    """Let that much of an invoice have gone back for good, and let the worker look."""
    name = shop.clock().id("wdr")
    await shop.run(_ASKED, id=name, units=units, invoice=invoice)
    done = "UPDATE withdrawal SET status = 'completed', completed_at = :at WHERE id = :id"
    await shop.run(done, at=shop.at(), id=name)
    assert await undo_round(worker, shop.clock()) is False


async def reversed_events(shop: Shop) -> int:
    """Return how often it was told."""
    return len(await shop.rows("SELECT 1 FROM event WHERE type = 'commission.reversed'"))


async def test_what_is_refunded_earned_nothing(shop: Shop, worker: Database) -> None:
    """In parts or at once; the commission goes back to who paid it, is told, and counts anew."""
    merchant, key, first, second = await customers(shop)
    one = await bought(shop, key, second, 10_000, "0x1")
    other = await bought(shop, key, second, 6000, "0x2")
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first) == [15_200, 800]
    await refunded(shop, worker, one, 9999)
    assert await balances(shop, merchant, first) == [15_200, 800], "a part undoes nothing yet"
    await refunded(shop, worker, one, 1)
    assert await balances(shop, merchant, first) == [15_700, 300]
    assert await counters(shop) == [(6000, 6000)]
    assert await reversed_events(shop) == 1
    gone = (await shop.call("GET", "/v1/commissions?status=reversed", key)).json()["data"]
    assert [each["amount_atomic"] for each in gone] == ["500"]
    await bought(shop, key, second, 2000, "0x3")
    await share_round(worker, shop.clock())
    assert await balances(shop, first) == [400], "what is paid next counts at once"
    await refunded(shop, worker, other, 6000)
    assert await balances(shop, first) == [100]


async def test_what_a_referrer_has_spent_stays_and_is_paid_again_first(
    shop: Shop, worker: Database
) -> None:
    """Nobody owes anything; and no circle of payments and refunds earns it a second time."""
    merchant, key, first, second = await customers(shop)
    invoice = await bought(shop, key, second, 10_000, "0x1")
    await share_round(worker, shop.clock())
    await spent(shop, first, 1)
    await refunded(shop, worker, invoice, 10_000)
    assert await balances(shop, merchant, first) == [9500, 499]
    assert (await counters(shop), await reversed_events(shop)) == ([(0, 10_000)], 0)
    await bought(shop, key, second, 10_000, "0x2")
    assert await pots(shop) == [1000]


async def test_what_waits_to_be_shared_is_not_any_more(shop: Shop, worker: Database) -> None:
    """It was refunded before the worker came to it."""
    merchant, key, first, second = await customers(shop)
    invoice = await bought(shop, key, second, 10_000, "0x1")
    await refunded(shop, worker, invoice, 10_000)
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first) == [10_000, 0]
    assert await counters(shop) == [(0, 0)]
    [pot] = await shop.rows("SELECT reason, shared_at FROM commission_pot")
    assert pot.reason == "the payment was refunded"


async def test_the_worker_takes_nothing_back_that_was_not_refunded(
    shop: Shop, worker: Database
) -> None:
    """Plain SQL: neither by the function, nor by saying that it was; the API not at all."""
    _, key, _, second = await customers(shop)
    await bought(shop, key, second, 10_000, "0x1")
    await share_round(worker, shop.clock())
    [pot] = await shop.rows("SELECT payment_id, merchant_id FROM commission_pot")
    for database, tenant, statement in (
        (worker, CROSS_TENANT, "SELECT * FROM undo_pot(:id, now())"),
        (
            worker,
            CROSS_TENANT,
            "UPDATE commission_pot SET refunded_at = now() WHERE payment_id = :id",
        ),
        (shop.database, pot.merchant_id, "SELECT * FROM undo_pot(:id, now())"),
    ):
        with pytest.raises(DBAPIError, match=r"no rows|permission denied"):
            async with database.unit_of_work(tenant) as session:
                await session.execute(text(statement), {"id": pot.payment_id})
