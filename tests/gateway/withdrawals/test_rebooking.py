"""A withdrawal that a rewritten chain ends otherwise, beside whoever posts at the same moment."""

import asyncio

import pytest
from sqlalchemy import select, text

from devnet.system.waiting import until
from gateway.db import CROSS_TENANT
from gateway.domain.posting import SUSPENSE, JournalEntry, Posting
from gateway.invoices import repository as invoices
from gateway.ledger.service import post
from gateway.models import ReopenedOrder, Wallet, Withdrawal
from gateway.withdrawals.moves import move
from gateway.withdrawals.rebooking import rebook
from gateway.withdrawals.recall import PAID_BACK, Busy
from gateway.withdrawals.repository import locked
from tests.gateway.refunds.test_refunds import DUE, paid, refund
from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_gate import requested

pytestmark = pytest.mark.anyio
USDC = "USDC-ETHEREUM"
HELD, FUNDED = 13_500_000, 100_000_000
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


async def failed(shop: Shop, id_: str) -> tuple[str, str]:
    """Let a pending withdrawal fail whose chain is judged again; return it and its merchant."""
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        row = await locked(session, id_)
        assert row is not None
        for status in ("approved", "signing", "broadcast", "failed"):
            await move(session, row, status, shop.clock())
        session.add(
            ReopenedOrder(order_id=id_, network_id=row.network_id, reopened_at=shop.clock().at)
        )
        return id_, str(row.merchant_id)


async def turns(shop: Shop, id_: str) -> None:
    """Let it be paid after all, as the watcher finds."""
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        row = await locked(session, id_)
        assert row is not None
        await rebook(session, row, shop.clock(), paid=True)


async def confirmed(shop: Shop, account: str) -> int:
    """Return an account's confirmed balance."""
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        query = select(Wallet.confirmed).where(
            Wallet.account == account, Wallet.currency_id == USDC
        )
        return int(await session.scalar(query) or 0)


async def test_what_was_paid_after_all_is_taken_from_what_is_left_at_that_moment(
    shop: Shop,
) -> None:
    """Somebody spends nearly all meanwhile: the rest is taken, and what lacks is in suspense."""
    made, _, _ = await requested(shop)
    id_, merchant = await failed(shop, made["id"])
    assert await confirmed(shop, merchant) == FUNDED
    spent = FUNDED - HELD + 1

    async def waits() -> bool | None:
        async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
            return bool(await session.scalar(WAITING)) or None

    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        moves = ((merchant, -spent), (SUSPENSE, spent))
        parts = tuple(Posting(who, USDC, "ADJUSTMENT", confirmed=units) for who, units in moves)
        await post(session, JournalEntry("reversal", "spent", merchant, parts), shop.clock())
        turning = asyncio.create_task(turns(shop, id_))
        await until(waits, "the one that turns to wait", seconds_max=10)
    await turning
    assert await confirmed(shop, merchant) == 0
    assert await confirmed(shop, SUSPENSE) == spent - 1


async def test_refunds_of_an_invoice_that_was_paid_back_after_all_are_called_back(
    shop: Shop,
) -> None:
    """Asked for again since the first had failed: the newest go until no more goes back than came."""
    _, key, invoice = await paid(shop, DUE)
    first = (await refund(shop, key, invoice, kind="remainder", amount="20")).json()["id"]
    await failed(shop, first)
    kept, gone = [
        (await refund(shop, key, invoice, kind="remainder", amount=amount)).json()["id"]
        for amount in ("25", "20")
    ]
    await turns(shop, first)
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        rows = [await session.get_one(Withdrawal, each) for each in (first, kept, gone)]
    assert [row.status for row in rows] == ["completed", "pending", "rejected"]
    assert (rows[2].rejected_by, rows[2].failure_reason) == (f"reopened:{first}", PAID_BACK)


async def test_a_refund_that_is_being_asked_for_is_not_overlooked(shop: Shop) -> None:
    """Whoever has the invoice is not waited for: nothing turns, and the next look counts it too."""
    _, key, invoice = await paid(shop, DUE)
    first = (await refund(shop, key, invoice, kind="remainder", amount="20")).json()["id"]
    await failed(shop, first)
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        # As the request does before it counts what has gone back.
        await invoices.locked(session, invoice["id"])
        with pytest.raises(Busy):
            await turns(shop, first)
    asked = await refund(shop, key, invoice, kind="remainder", amount="40")
    assert asked.status_code == 201, "it was free again, and nothing had turned"
    await turns(shop, first)
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        rows = [await session.get_one(Withdrawal, each) for each in (first, asked.json()["id"])]
    assert [row.status for row in rows] == ["completed", "rejected"]
