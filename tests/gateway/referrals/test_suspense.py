"""A customer's small payments earn their referrer something when they are credited, not before."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.db import Database
from gateway.referrals.sharing import asked_again, share_round
from tests.gateway.referrals.market import USDC, balances, bought, fee
from tests.gateway.referrals.test_sharing import customers
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def test_what_waits_in_suspense_earns_nothing_yet(shop: Shop, worker: Database) -> None:
    """It counts for the customer once there is enough, and is final before the rest of it is."""
    merchant, key, first, second = await customers(shop)
    await fee(shop, merchant, 1000)
    await shop.fund(merchant, USDC, 10_000)
    await shop.run("UPDATE currency SET minimum_deposit_units = 1000 WHERE id = :id", id=USDC)
    await bought(shop, key, second, 600, "0x01")
    [row] = await shop.rows("SELECT address FROM payment_option")
    await shop.pay(row.address, USDC, 600, tx="0x02")
    [small, _] = await shop.rows("SELECT purpose, status FROM deposit ORDER BY tx_hash")
    assert tuple(small) == ("invoice", "confirmed"), "counted, and still in suspense"
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first, second, "suspense") == [10_000, 0, 0, 600]
    await shop.pay(row.address, USDC, 600, tx="0x02", final=True)
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first, second, "suspense", "revenue") == [
        *(10_000 + 1080 - 54, 54, 0),
        *(0, 120),
    ]
    pots = await shop.rows("SELECT pot_units FROM commission_pot")
    assert [int(pot.pot_units) for pot in pots] == [54, 54]


async def test_what_is_final_before_the_rest_is_counts_once(
    shop: Shop, worker: Database
) -> None:
    """It is the customer's by then and still in suspense: it counts when it leaves that."""
    merchant, key, first, second = await customers(shop)
    await shop.fund(merchant, USDC, 10_000)
    await shop.run("UPDATE currency SET minimum_deposit_units = 1000 WHERE id = :id", id=USDC)
    await bought(shop, key, second, 600, "0x01", final=False)
    [row] = await shop.rows("SELECT address FROM payment_option")
    await shop.pay(row.address, USDC, 600, tx="0x02")
    await shop.run("UPDATE deposit SET block_height = 102 WHERE tx_hash = '0x02'")
    await shop.pay(row.address, USDC, 600, tx="0x01", final=True)
    deposits = await shop.rows("SELECT purpose, status FROM deposit ORDER BY tx_hash")
    assert [tuple(each) for each in deposits] == [
        ("invoice", "confirmed"), ("invoice", "pending"),
    ]  # fmt: skip
    assert await balances(shop, "suspense") == [600]
    assert await shop.rows("SELECT 1 FROM customer_paid") == []
    await shop.run("UPDATE deposit SET block_height = 101 WHERE tx_hash = '0x02'")
    await shop.pay(row.address, USDC, 600, tx="0x02", final=True)
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first, "suspense") == [10_000 + 1200 - 60, 60, 0]
    [paid] = await shop.rows("SELECT net_units, counted_units FROM customer_paid")
    assert (int(paid.net_units), int(paid.counted_units)) == (1200, 1200)


def test_what_nobody_pays_for_is_asked_for_ever_more_rarely() -> None:
    """A merchant that never has the money does not keep the worker from the others."""
    ages = [timedelta(0), timedelta(hours=1), timedelta(hours=4), timedelta(days=30)]
    minutes = [asked_again(age) // timedelta(minutes=1) for age in ages]
    assert minutes == [15, 15, 60, 360]


async def test_one_busy_balance_keeps_nobody_else_waiting(shop: Shop, worker: Database) -> None:
    """Who is being credited just now is left for the next round; the others have theirs."""
    paid = []
    for number in range(2):
        merchant, key, first, second = await customers(shop)
        await shop.fund(merchant, USDC, 1000)
        await bought(shop, key, second, 10_000, f"0x{number}")
        paid.append((merchant, first))
    async with shop.owner.unit_of_work(None) as session:
        busy = text("SELECT 1 FROM wallet WHERE account = :account FOR UPDATE")
        await session.execute(busy, {"account": paid[0][0]})
        assert await share_round(worker, shop.clock()) is False
        assert await balances(shop, paid[0][1], paid[1][1]) == [0, 500]
    await share_round(worker, shop.clock())
    assert await balances(shop, paid[0][1], paid[1][1]) == [500, 500]
