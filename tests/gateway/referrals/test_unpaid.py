"""What was not paid after all, or twice, or before: none of it earns a commission."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.db import CROSS_TENANT, Database
from gateway.deposits.arrival import Desk
from gateway.deposits.service import confirm
from gateway.invoices.standing import NO_HEADS
from gateway.postgres.migrate import migrate
from gateway.referrals.sharing import share_round
from tests.conftest import FreshDatabase
from tests.gateway.customers.conftest import address
from tests.gateway.referrals.market import USDC, balances, bought
from tests.gateway.referrals.test_circles import moved, pots
from tests.gateway.referrals.test_reversal import taken_back
from tests.gateway.referrals.test_sharing import customers
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def counters(shop: Shop) -> list[tuple[int, int]]:
    """Return what was paid and what of it counted, by currency."""
    query = "SELECT net_units, counted_units FROM customer_paid ORDER BY currency_id"
    return [(int(net), int(counted)) for net, counted in await shop.rows(query)]


async def test_a_charge_that_is_no_longer_covered_earns_nothing(
    shop: Shop, worker: Database
) -> None:
    """The newest is taken back, the one that other money pays stays; another round as well."""
    merchant, key, first, second = await customers(shop)
    to = await address(shop, key, second)
    await shop.pay(to, USDC, 10_000, tx="0x1", final=True)
    await shop.pay(to, USDC, 10_000, tx="0x2", final=True)
    for amount in ("0.008", "0.006"):
        shop.clock.at += timedelta(seconds=1)
        await moved(shop, key, second, "charge", amount)
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first, second) == [13_300, 700, 6000]
    one, other = await shop.rows("SELECT id FROM deposit ORDER BY tx_hash")
    await taken_back(shop, other.id)
    assert await balances(shop, merchant, first, second) == [9600, 400, 0]
    assert await counters(shop) == [(8000, 8000)]
    await taken_back(shop, one.id)
    assert await balances(shop, merchant, first, second, "suspense") == [0, 0, 0, 0]
    assert await counters(shop) == [(0, 0)]


async def test_a_payment_of_an_invoice_that_is_taken_back_was_not_paid(
    shop: Shop, worker: Database
) -> None:
    """Nor did it count: the next one does."""
    _, key, first, second = await customers(shop)
    await bought(shop, key, second, 10_000, "0x1")
    await share_round(worker, shop.clock())
    [deposit] = await shop.rows("SELECT id FROM deposit")
    await taken_back(shop, deposit.id)
    assert await counters(shop) == [(0, 0)]
    await bought(shop, key, second, 10_000, "0x2")
    await share_round(worker, shop.clock())
    assert await balances(shop, first) == [500]


async def test_an_invoice_paid_in_each_currency_counts_once(shop: Shop) -> None:
    """What was paid in one is no longer asked for in another."""
    _, key, _, second = await customers(shop)
    methods = [USDC, "USDT-TRON"]
    wanted = {"amount": "1.00", "payment_methods": methods, "activate": methods}
    invoice = await shop.invoice(key, customer_id=second, **wanted)
    to = {each["payment_method"]: each["address"] for each in invoice["payment_options"]}
    await shop.pay(to[USDC], USDC, 600_000, tx="0x1", final=True)
    shop.clock.at += timedelta(seconds=1)
    await shop.pay(to["USDT-TRON"], "USDT-TRON", 1_000_000, tx="0x2", final=True)
    assert sorted(await pots(shop)) == [40_000, 60_000]


async def test_small_payments_that_become_the_invoices_as_they_become_final_count_once(
    shop: Shop,
) -> None:
    """Nobody's when it was seen, the invoice's and credited in the transaction that confirms it."""
    _, key, _, second = await customers(shop)
    await shop.run("UPDATE currency SET minimum_deposit_units = 1000 WHERE id = :id", id=USDC)
    await bought(shop, key, second, 600, "0x1", final=False)
    await shop.run("UPDATE currency SET minimum_deposit_units = 500 WHERE id = :id", id=USDC)
    [row] = await shop.rows("SELECT address, purpose FROM deposit")
    assert row.purpose == "unattributed"
    await confirmed(shop)
    assert await pots(shop) == [60]
    assert await counters(shop) == [(600, 600)]
    with pytest.raises(IntegrityError, match="credited to its invoice"):
        await shop.run(
            "UPDATE deposit SET purpose = 'unattributed', merchant_id = NULL, invoice_id = NULL"
        )
    assert await counters(shop) == [(600, 600)]


async def confirmed(shop: Shop) -> None:
    """Let everything be final."""
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        desk = Desk(session, shop.clock(), shop.settings.api.public_url)
        await confirm(desk, "ethereum", 101, NO_HEADS)


async def test_what_was_shared_before_the_upgrade_is_not_shared_again(
    shop: Shop, database: FreshDatabase
) -> None:
    """A deposit to an own address that was, and is charged now; an invoice that is refunded now."""
    _, key, _, second = await customers(shop)
    await bought(shop, key, second, 3000, "0x1")
    await shop.pay(await address(shop, key, second), USDC, 10_000, tx="0x2", final=True)
    await shop.run(
        "INSERT INTO commission_pot SELECT d.id, 'merchant', p.merchant_id, p.party_id, p.currency_id,"
        " 1000, p.earned_at, p.schedule_id, NULL, p.earned_at FROM commission_pot p, deposit d"
        " WHERE d.tx_hash = '0x2'"
    )
    migrate(database.settings, to="0005")
    migrate(database.settings)
    assert await counters(shop) == [(3000, 13_009)]
    await moved(shop, key, second, "charge", "0.010")
    assert sorted(await pots(shop)) == [300, 1000], "it had counted as a deposit"
