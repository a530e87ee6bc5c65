"""Refunds of an invoice: withdrawals linked to it, never above what it received."""

import asyncio
from operator import itemgetter
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from gateway.db import CROSS_TENANT
from gateway.withdrawals.moves import complete, move
from gateway.withdrawals.repository import locked
from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_request import OUTSIDE, balance

pytestmark = pytest.mark.anyio
METHOD = "USDC-ETHEREUM"
DUE = 49_900_000
WHOLE = 1_000_000


async def paid(
    shop: Shop, *payments: int, final: bool = True, **fields: Any
) -> tuple[str, str, dict[str, Any]]:
    """Return a merchant, its key and an invoice over 49.90 USDC with these payments."""
    merchant, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=[METHOD], **fields)
    [option] = invoice["payment_options"]
    for number, units in enumerate(payments):
        await shop.pay(option["address"], METHOD, units, tx=f"0x{number}", final=final)
    return merchant, key, invoice


async def refund(
    shop: Shop, key: str, invoice: dict[str, Any], *, once: str | None = None, **fields: Any
) -> httpx.Response:
    """Ask for all of it back, unless said otherwise."""
    body = {"kind": "full", "destination": OUTSIDE, "reason": "returned", **fields}
    return await shop.call(
        "POST",
        f"/v1/invoices/{invoice['id']}/refunds",
        key,
        json=body,
        headers={"Idempotency-Key": once or shop.clock().id("once")},
    )


async def test_a_refund_is_a_withdrawal_of_the_invoice(shop: Shop) -> None:
    """Held, heard and decided like every other; the invoice shows it, with who and why."""
    merchant, key, invoice = await paid(shop, DUE)
    await shop.fund(merchant, METHOD, WHOLE)  # the fee
    answer = await refund(shop, key, invoice)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["amount"], made["invoice_id"], made["refund_kind"], made["status"]) == (
        "49.900000",
        invoice["id"],
        "full",
        "pending",
    )
    assert await balance(shop, key) == ("0.000000", "50.900000")
    shown = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    [told] = shown["refunds"]
    assert (told["withdrawal_id"], told["amount"], told["status"], told["kind"]) == (
        made["id"],
        "49.900000",
        "pending",
        "full",
    )
    assert shown["timeline"][-1]["reason"] == f"refund {made['id']} (full): returned"
    assert shown["status"] == "settled"
    listed = await shop.call("GET", "/v1/invoices", key)
    assert listed.json()["data"][0]["refunds"] == shown["refunds"]
    query = {"invoice_id": invoice["id"]}
    page = await shop.call("GET", "/v1/withdrawals", key, params=query)
    assert [row["id"] for row in page.json()["data"]] == [made["id"]]
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        row = await locked(session, made["id"])
        assert row is not None
        for status in ("approved", "signing", "broadcast"):
            await move(session, row, status, shop.clock())
        await complete(session, row, row.units, shop.clock())
    page = await shop.call("GET", "/v1/events", key, params={"subject": made["id"]})
    events = sorted(page.json()["data"], key=itemgetter("sequence"))
    assert [each["type"] for each in events] == [
        "withdrawal.created", "refund.created", "withdrawal.approved", "withdrawal.broadcast",
        "withdrawal.completed", "refund.completed",
    ]  # fmt: skip
    last = events[-1]["data"]["object"]
    assert (last["invoice_id"], last["refund_kind"], last["status"]) == (
        invoice["id"],
        "full",
        "completed",
    )
    [row] = await shop.rows("SELECT * FROM audit_log WHERE action = 'invoice.refund_requested'")
    assert (row.subject, row.after["kind"], row.after["reason"]) == (
        invoice["id"],
        "full",
        "returned",
    )


async def test_the_kinds(shop: Shop) -> None:
    """What was too much, then the rest; a rejected refund counts no more."""
    merchant, key, invoice = await paid(shop, DUE + 10 * WHOLE)
    await shop.fund(merchant, METHOD, 10 * WHOLE)
    excess = (await refund(shop, key, invoice, kind="excess", amount="4")).json()
    assert excess["amount"] == "4.000000"
    assert (await refund(shop, key, invoice, kind="excess")).json()["amount"] == "6.000000"
    for kind in ("excess", "full"):
        refused = await refund(shop, key, invoice, kind=kind)
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_refund")
    rest = (await refund(shop, key, invoice, kind="remainder")).json()
    assert rest["amount"] == "49.900000"
    assert (await refund(shop, key, invoice, kind="remainder")).status_code == 409
    await shop.call("POST", f"/v1/withdrawals/{rest['id']}/cancel", key)
    again = await refund(shop, key, invoice, kind="remainder", amount="1")
    assert again.json()["amount"] == "1.000000"


async def test_no_more_than_was_received(shop: Shop) -> None:
    """However rich the merchant is: the field and the most that may go back."""
    merchant, key, invoice = await paid(shop, DUE)
    await shop.fund(merchant, METHOD, 1_000 * WHOLE)
    over = await refund(shop, key, invoice, kind="remainder", amount="49.900001")
    [fault] = over.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/amount", "exceeds_refundable")
    assert "49.900000 USDC" in fault["detail"]
    assert (await refund(shop, key, invoice, amount="0")).status_code == 422
    assert await shop.rows("SELECT 1 FROM withdrawal") == []


async def test_nothing_final_nothing_back(shop: Shop) -> None:
    """An unpaid invoice, and one whose payment is not final yet."""
    for payments in ((), (DUE,)):
        _, key, invoice = await paid(shop, *payments, final=False)
        answer = await refund(shop, key, invoice)
        assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_refund")


async def test_two_at_once_cannot_pay_back_twice(shop: Shop) -> None:
    """The invoice's row lock puts them in an order."""
    merchant, key, invoice = await paid(shop, DUE)
    await shop.fund(merchant, METHOD, 1_000 * WHOLE)
    answers = await asyncio.gather(
        *(refund(shop, key, invoice, once=str(n), kind="remainder") for n in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert await balance(shop, key) == ("999.000000", "50.900000")


async def test_a_refund_happens_once(shop: Shop) -> None:
    """It needs a key and honours it."""
    merchant, key, invoice = await paid(shop, DUE)
    await shop.fund(merchant, METHOD, 1_000 * WHOLE)
    bare = await shop.call(
        "POST",
        f"/v1/invoices/{invoice['id']}/refunds",
        key,
        json={"kind": "full", "destination": OUTSIDE, "reason": "x"},
    )
    assert bare.json()["code"] == "idempotency_key_required"
    first, again = [await refund(shop, key, invoice, once="1") for _ in range(2)]
    assert first.json() == again.json()
    assert len(await shop.rows("SELECT 1 FROM withdrawal")) == 1


async def test_paid_in_two_currencies(shop: Shop) -> None:
    """Which one goes back has to be said; each has its own sum."""
    merchant, key = await shop.merchant_and_key()
    methods = [METHOD, "ETH-ETHEREUM"]
    invoice = await shop.invoice(key, payment_methods=methods, activate=methods)
    address = {row["payment_method"]: row["address"] for row in invoice["payment_options"]}
    await shop.pay(address[METHOD], METHOD, DUE, tx="0x1", final=True)
    await shop.pay(address["ETH-ETHEREUM"], "ETH-ETHEREUM", 10**16, tx="0x2", final=True)
    await shop.fund(merchant, METHOD, 10 * WHOLE)
    unnamed = await refund(shop, key, invoice, kind="excess")
    [fault] = unnamed.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/payment_method", "ambiguous")
    other = await refund(shop, key, invoice, payment_method="SOL-SOLANA")
    assert other.json()["errors"][0]["code"] == "nothing_received"
    back = await refund(shop, key, invoice, kind="excess", payment_method="ETH-ETHEREUM")
    assert back.json()["amount"] == "0.010000000000000000"


async def test_what_was_too_much_goes_back_once_and_not_in_each_currency(shop: Shop) -> None:
    """The whole invoice paid in each of two: after one of them went back nothing is too much."""
    merchant, key = await shop.merchant_and_key()
    methods = [METHOD, "ETH-ETHEREUM"]
    invoice = await shop.invoice(key, payment_methods=methods, activate=methods)
    options = {row["payment_method"]: row for row in invoice["payment_options"]}
    ether = int(options["ETH-ETHEREUM"]["amount_atomic"])
    await shop.pay(options[METHOD]["address"], METHOD, DUE, tx="0x1", final=True)
    await shop.pay(
        options["ETH-ETHEREUM"]["address"], "ETH-ETHEREUM", ether, tx="0x2", final=True
    )
    await shop.fund(merchant, METHOD, 10 * WHOLE)
    first = await refund(shop, key, invoice, kind="excess", payment_method="ETH-ETHEREUM")
    assert first.status_code == 201, first.text
    again = await refund(shop, key, invoice, kind="excess", payment_method=METHOD)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_refund")


async def test_where_money_must_not_go(shop: Shop) -> None:
    """The gates of every withdrawal: addresses, balance, a closed book."""
    _, key, invoice = await paid(shop, DUE)
    bad = await refund(shop, key, invoice, destination="TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
    assert bad.json()["code"] == "wrong_network"
    poor = await refund(shop, key, invoice)
    assert poor.json()["code"] == "insufficient_balance", "the fee is the merchant's"
    body = {"address_book_only": True}
    await shop.call("PATCH", "/v1/withdrawal_settings", key, json=body)
    closed = await refund(shop, key, invoice, amount="1")
    assert closed.json()["code"] == "not_in_address_book"
    assert await shop.rows("SELECT 1 FROM withdrawal") == []


async def test_another_merchants_invoice_does_not_exist(shop: Shop) -> None:
    """404, for the other mode too; and a narrow key may not pay out."""
    merchant, _, invoice = await paid(shop, DUE)
    _, other = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    for stranger in (other, live):
        assert (await refund(shop, stranger, invoice)).status_code == 404
    narrow = await shop.key(merchant, ["invoices:read", "invoices:write"])
    assert (await refund(shop, narrow, invoice)).status_code == 403


INSERT = (
    "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, fee_units,"
    " destination, status, created_by, invoice_id, refund_kind, created_at, updated_at)"
    " VALUES (:id, :merchant, false, 'USDC-ETHEREUM', 'ethereum', :units, 1000000, '0x', 'pending',"
    " 'key_1', :invoice, 'full', now(), now())"
)


async def test_the_database_counts_again(shop: Shop) -> None:
    """Whoever writes the row: no unit above what came in, no other merchant's invoice, no change."""
    merchant, _, invoice = await paid(shop, DUE)
    stranger = await shop.merchant()
    row = {"id": "wdr_1", "merchant": merchant, "invoice": invoice["id"], "units": DUE}
    for as_role in (shop.database, shop.owner):
        for change in ({"units": DUE + 1}, {"merchant": stranger, "units": 1}):
            values = {**row, **change}
            with pytest.raises(IntegrityError, match="refunds more than invoice"):
                async with as_role.unit_of_work(str(values["merchant"])) as session:
                    await session.execute(text(INSERT), values)
    async with shop.database.unit_of_work(merchant) as session:
        await session.execute(text(INSERT), row)
    with pytest.raises(IntegrityError, match="refunds more than invoice"):
        async with shop.database.unit_of_work(merchant) as session:
            await session.execute(text(INSERT), {**row, "id": "wdr_2", "units": 1})
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with shop.database.unit_of_work(merchant) as session:
            await session.execute(text("UPDATE withdrawal SET invoice_id = NULL"))
    with pytest.raises(IntegrityError, match="what it belongs to never changes"):
        async with shop.owner.unit_of_work(None) as session:
            await session.execute(
                text("UPDATE withdrawal SET invoice_id = NULL, refund_kind = NULL")
            )
