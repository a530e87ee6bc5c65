"""A withdrawal that a rewritten chain ends otherwise, beside whoever posts at the same moment."""

import asyncio

import pytest
from sqlalchemy import select, text

from devnet.system.waiting import until
from gateway.db import CROSS_TENANT
from gateway.domain.posting import REVENUE, SUSPENSE, JournalEntry, Posting
from gateway.invoices import repository as invoices
from gateway.ledger.service import post
from gateway.models import ReopenedOrder, Wallet, Withdrawal
from gateway.withdrawals.moves import move
from gateway.withdrawals.rebooking import rebook
from gateway.withdrawals.recall import PAID_BACK, Busy
from gateway.withdrawals.repository import locked
from tests.gateway.customers.conftest import has, rich
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


async def turns(shop: Shop, id_: str, *, paid: bool = True) -> None:
    """Let it be paid after all, or not, as the watcher finds."""
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        row = await locked(session, id_)
        assert row is not None
        await rebook(session, row, shop.clock(), paid=paid)


async def confirmed(shop: Shop, account: str) -> int:
    """Return an account's confirmed balance."""
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        query = select(Wallet.confirmed).where(
            Wallet.account == account, Wallet.currency_id == USDC
        )
        return int(await session.scalar(query) or 0)


async def gives(shop: Shop, giver: str, units: int, taker: str) -> None:
    """Let money change hands by a journal of its own."""
    moves = ((giver, -units), (taker, units))
    parts = tuple(Posting(who, USDC, "ADJUSTMENT", confirmed=each) for who, each in moves)
    moment = shop.clock()
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        await post(session, JournalEntry("reversal", moment.id("jnl"), None, parts), moment)


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


async def test_each_turn_undoes_the_last_with_those_who_bore_it(shop: Shop) -> None:
    """A merchant answers for its customer, gets back what it answered with, and answers again."""
    merchant, key = await shop.merchant_and_key()
    mine, tenth = await rich(shop, key), 10**17

    async def post_to(path: str, name: str, **body: str) -> str:
        body |= {"payment_method": "ETH-ETHEREUM"}
        once = {"Idempotency-Key": name}
        answer = await shop.call("POST", path, key, json=body, headers=once)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def charge(amount: str) -> None:
        path = f"/v1/customers/{mine}/transfers"
        await post_to(path, amount, direction="charge", amount=amount, description="fee")

    async def stands() -> tuple[int, int, int]:
        """Return tenths of a coin: the customer's, the merchant's, what is missing."""
        found = [await has(shop, each) for each in (mine, merchant, SUSPENSE)]
        first, second, third = (units // tenth for units, _ in found)
        return first, second, third

    asked = {"amount": "0.4", "destination": "0x" + "ab" * 20, "customer_id": mine}
    id_, _ = await failed(shop, await post_to("/v1/withdrawals", "1", **asked))
    await charge("0.9")
    assert await stands() == (1, 9, 0)
    await turns(shop, id_)
    assert await stands() == (0, 6, 0)
    await turns(shop, id_, paid=False)
    assert await stands() == (1, 9, 0)
    await charge("0.1")
    await turns(shop, id_)
    assert await stands() == (0, 6, 0)
    await turns(shop, id_, paid=False)
    assert await stands() == (0, 10, 0)


async def test_each_time_it_was_paid_after_all_the_whole_hold_is_taken_of_what_there_is_then(
    shop: Shop,
) -> None:
    """It had one unit at the first turn and earned more since: the house bears nothing at the third."""
    made, _, _ = await requested(shop)
    id_, merchant = await failed(shop, made["id"])
    spent = FUNDED - 1
    await gives(shop, merchant, spent, SUSPENSE)

    async def stands() -> tuple[int, int]:
        """Return what the merchant has, and what is missing."""
        return await confirmed(shop, merchant), spent - await confirmed(shop, SUSPENSE)

    await turns(shop, id_)
    assert await stands() == (0, HELD - 1)
    await turns(shop, id_, paid=False)
    assert await stands() == (1, 0), "nobody is given what was missing"
    await gives(shop, SUSPENSE, HELD, merchant)
    spent -= HELD
    for _ in range(2):
        await turns(shop, id_)
        assert await stands() == (1, 0)
        await turns(shop, id_, paid=False)
        assert await stands() == (1 + HELD, 0)


async def test_a_fee_that_was_missing_at_one_turn_is_made_good_by_the_next(shop: Shop) -> None:
    """What the house had given away of it comes from suspense, and goes back there."""
    made, _, _ = await requested(shop)
    id_, merchant = await failed(shop, made["id"])
    await turns(shop, id_)
    fee = await confirmed(shop, REVENUE)
    assert fee > 0
    await gives(shop, REVENUE, fee, SUSPENSE)

    async def stands() -> tuple[int, int, int]:
        found = [await confirmed(shop, each) for each in (merchant, REVENUE, SUSPENSE)]
        return found[0], found[1], found[2]

    for _ in range(2):
        await turns(shop, id_, paid=False)
        assert await stands() == (FUNDED, 0, 0), "suspense had it, and bears it"
        await turns(shop, id_)
        assert await stands() == (FUNDED - HELD, 0, fee)
