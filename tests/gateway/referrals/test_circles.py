"""What only passes through a merchant earns nobody a commission: not once, and not in a circle."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.db import Database
from gateway.referrals.sharing import share_round
from tests.gateway.customers.conftest import address
from tests.gateway.referrals.market import USDC, balances, bought
from tests.gateway.referrals.test_sharing import customers
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def moved(shop: Shop, key: str, customer: str, direction: str, amount: str) -> None:
    """Move money between the merchant and its customer."""
    body = {"direction": direction, "payment_method": USDC, "amount": amount}
    path = f"/v1/customers/{customer}/transfers"
    headers = {"Idempotency-Key": shop.clock().id("idk")}
    answer = await shop.call("POST", path, key, json=body, headers=headers)
    assert answer.status_code == 201, answer.text


async def pots(shop: Shop) -> list[int]:
    """Return what payments have earned so far, oldest first."""
    rows = await shop.rows(
        "SELECT pot_units FROM commission_pot ORDER BY earned_at, payment_id"
    )
    return [int(row.pot_units) for row in rows]


async def test_a_deposit_to_a_customers_own_address_earns_nothing(
    shop: Shop, worker: Database
) -> None:
    """It is the customer's still; what the merchant takes of it, it has earned."""
    merchant, key, first, second = await customers(shop)
    await shop.pay(await address(shop, key, second), USDC, 10_000, tx="0x1", final=True)
    assert await pots(shop) == []
    await moved(shop, key, second, "charge", "0.004")
    assert await pots(shop) == [400]
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first, second) == [3800, 200, 6000]


async def test_what_went_back_is_paid_again_before_anything_new_counts(shop: Shop) -> None:
    """Charged and granted in a circle, by whatever machine: the first round is the only one."""
    _, key, _, second = await customers(shop)
    await shop.pay(await address(shop, key, second), USDC, 10_000, tx="0x1", final=True)
    for _ in range(3):
        await moved(shop, key, second, "charge", "0.005")
        await moved(shop, key, second, "grant", "0.005")
    assert await pots(shop) == [500]
    await moved(shop, key, second, "charge", "0.008")
    assert await pots(shop) == [500, 300], "5000 of these had counted before"
    await bought(shop, key, second, 1000, "0x2")
    assert await pots(shop) == [500, 300, 100]


async def test_a_refund_is_taken_off(shop: Shop) -> None:
    """Of the customer's invoices; what was too much has never counted."""
    _, key, _, second = await customers(shop)
    invoice = await bought(shop, key, second, 1_500_000, "0x1")
    assert await pots(shop) == [100_000], "a tenth of what the invoice asked for"
    await shop.run(
        "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, fee_units,"
        " destination, status, created_by, created_at, updated_at, invoice_id, refund_kind)"
        " SELECT 'wdr_1', merchant_id, false, 'USDC-ETHEREUM', 'ethereum', 1500000, 0, '0xthere',"
        " 'confirming', 'x', now(), now(), id, 'full' FROM invoice WHERE id = :id",
        id=invoice,
    )
    await shop.run(
        "UPDATE withdrawal SET status = 'completed', completed_at = :at", at=shop.at()
    )
    await bought(shop, key, second, 600_000, "0x2")
    await bought(shop, key, second, 600_000, "0x3")
    assert await pots(shop) == [100_000, 20_000], "1,000,000 of these had counted before"


async def test_several_payments_of_one_invoice_are_no_more_than_it_asked_for(
    shop: Shop,
) -> None:
    """Whatever the order in which they become final."""
    _, key, _, second = await customers(shop)
    await bought(shop, key, second, 700_000, "0x1", final=False)
    [row] = await shop.rows("SELECT address FROM payment_option")
    await shop.pay(row.address, USDC, 700_000, tx="0x2", final=True)
    assert sum(await pots(shop)) == 100_000


async def test_nobody_writes_what_was_paid(shop: Shop) -> None:
    """The counters are the database's own; a tenant reads its own."""
    merchant, key, _, second = await customers(shop)
    await bought(shop, key, second, 1000, "0x1")
    await refused(shop, merchant, "UPDATE customer_paid SET counted_units = 0")
    await refused(shop, merchant, "DELETE FROM customer_paid")
    found = await shop.rows("SELECT net_units, counted_units FROM customer_paid")
    assert [(int(net), int(counted)) for net, counted in found] == [(1000, 1000)]


async def refused(shop: Shop, merchant: str, statement: str) -> None:
    """Expect that the API's role may not."""
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with shop.database.unit_of_work(merchant) as session:
            await session.execute(text(statement))
