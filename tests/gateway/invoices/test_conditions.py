"""What a merchant's settings make of its invoices: tiers, taxes, usual methods; and reuse."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def settings(shop: Shop, merchant_id: str, **columns: Any) -> None:
    """Let a merchant have these settings."""
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    await shop.run(
        f"INSERT INTO merchant_settings (merchant_id, updated_at, {names}) "
        f"VALUES (:merchant_id, now(), {values})",
        merchant_id=merchant_id,
        **columns,
    )


TIERS = msgspec.json.encode(
    [
        {"below": "1000", "currency": "USD", "confirmations": 2},
        {"below": "50", "currency": "USD", "confirmations": 0},
        {"below": "9", "currency": "EUR", "confirmations": 1},
    ]
).decode()


async def test_small_invoices_settle_early_by_the_merchants_tiers(shop: Shop) -> None:
    """Below the lowest fitting tier; above all at finality; the balance waits in any case."""
    merchant_id, key = await shop.merchant_and_key()
    await settings(shop, merchant_id, confirmation_policy=TIERS)
    asked: dict[str, tuple[dict[str, Any], int | None, str]] = {
        "49.99": ({}, 0, "merchant"),
        "50.00": ({}, 2, "merchant"),
        "1000.00": ({}, None, "final"),
        "40.00": ({"currency": "EUR"}, None, "final"),
        "8.99": ({"currency": "EUR"}, 1, "merchant"),
        "1.00": ({"confirmations": 7}, 7, "invoice"),
    }
    for amount, (fields, confirmations, policy) in asked.items():
        invoice = await shop.invoice(key, amount=amount, **fields)
        assert (invoice["confirmations"], invoice["confirmation_policy"]) == (
            confirmations,
            policy,
        ), amount
    open_ = await shop.invoice(key, amount=None)
    assert (open_["confirmations"], open_["confirmation_policy"]) == (None, "final")
    small = await shop.invoice(key, amount="40.00", payment_methods=["USDT-TRON"])
    option = small["payment_options"][0]
    await shop.pay(option["address"], "USDT-TRON", 40 * 10**6, tx="aa")
    settled = (await shop.call("GET", f"/v1/invoices/{small['id']}", key)).json()
    assert (settled["status"], settled["final"]) == ("settled", False)
    assert await shop.rows("SELECT 1 FROM wallet WHERE account = :id", id=merchant_id) == []


async def test_taxes_stand_in_the_invoice(shop: Shop) -> None:
    """In the amount, or on top of it; the tax of what is paid is the same."""
    merchant_id, key = await shop.merchant_and_key()
    await settings(shop, merchant_id, tax_rate=19, tax_label="VAT", tax_inclusive=True)
    invoice = await shop.invoice(key, amount="119.00")
    tax = {"label": "VAT", "rate_percent": "19", "amount": "19.00"}
    assert (invoice["amount"], invoice["tax"]) == ("119.00", tax)
    await shop.run("UPDATE merchant_settings SET tax_inclusive = false")
    invoice = await shop.invoice(key, amount="100.00", order_id="7")
    assert (invoice["amount"], invoice["tax"]) == ("119.00", tax)
    again = await shop.invoice(key, amount="100.00", order_id="7", reuse_pending=True)
    assert again["id"] == invoice["id"]
    assert (await shop.invoice(key, amount=None))["tax"] == {**tax, "amount": None}


async def test_usual_methods_and_links_are_taken_from_the_settings(shop: Shop) -> None:
    """What the invoice names goes before; settings that fit nothing here are no reason to refuse."""
    merchant_id, key = await shop.merchant_and_key()
    await settings(
        shop,
        merchant_id,
        payment_methods=["USDT-TRON", "ETH-MAINNET"],
        success_url="https://shop.example/thanks",
    )
    invoice = await shop.invoice(key)
    assert [each["payment_method"] for each in invoice["payment_options"]] == ["USDT-TRON"]
    assert invoice["success_url"] == "https://shop.example/thanks"
    other = await shop.invoice(
        key, payment_methods=["TRX-TRON"], success_url="https://x.example"
    )
    assert [each["payment_method"] for each in other["payment_options"]] == ["TRX-TRON"]
    assert other["success_url"] == "https://x.example"
    await shop.run("UPDATE merchant_settings SET payment_methods = ARRAY['ETH-MAINNET']")
    assert len((await shop.invoice(key))["payment_options"]) > 1


async def test_a_pending_invoice_is_reused_where_it_asks_the_same(shop: Shop) -> None:
    """Ten requests at once make one; another amount, method, tolerance or an end makes a new one."""
    _, key = await shop.merchant_and_key()
    same = {"order_id": "1001", "reuse_pending": True}
    made = await asyncio.gather(*(shop.invoice(key, **same) for _ in range(10)))
    [first] = {invoice["id"] for invoice in made}
    for change in (
        {"amount": "49.91"},
        {"amount": None},
        {"payment_methods": ["USDT-TRON"]},
        {"payment_tolerance_percent": "1"},
        {"confirmations": 3},
        {"order_id": "1002"},
        {"reuse_pending": False},
    ):
        assert (await shop.invoice(key, **{**same, **change}))["id"] != first, change
    # Two stand there now; either is the answer to the same question.
    await shop.run("UPDATE invoice SET status = 'canceled' WHERE order_id = '1001'")
    assert (await shop.invoice(key, **same))["id"] != first
    _, other = await shop.merchant_and_key()
    theirs = await shop.invoice(other, **same)
    assert theirs["merchant_id"] != made[0]["merchant_id"]


async def test_a_reused_invoice_gives_the_addresses_that_are_asked_for(shop: Shop) -> None:
    """Whoever orders a method at once gets its address, whether the invoice is new or stands."""
    _, key = await shop.merchant_and_key()
    same: dict[str, Any] = {"order_id": "1001", "reuse_pending": True}
    first = await shop.invoice(key, **same)
    assert [option["address"] for option in first["payment_options"]] == [None] * 5
    wanted = {**same, "activate": ["USDT-TRON", "ETH-ETHEREUM"]}
    again, once_more = await asyncio.gather(*(shop.invoice(key, **wanted) for _ in "12"))
    assert again["payment_options"] == once_more["payment_options"]
    given = {o["payment_method"] for o in again["payment_options"] if o["address"]}
    assert (again["id"], given) == (first["id"], {"USDT-TRON", "ETH-ETHEREUM"})
    assert len(await shop.rows("SELECT 1 FROM address_pool WHERE status = 'ASSIGNED'")) == 2
    noted = "SELECT 1 FROM audit_log WHERE action = 'invoice.method_chosen'"
    assert len(await shop.rows(noted)) == 2


async def test_looking_for_a_pending_invoice_reads_a_few_however_many_there_are(
    shop: Shop,
) -> None:
    """The newest ones of the same amount are looked at, all with one statement for their methods."""
    _, key = await shop.merchant_and_key()
    wanted = {"order_id": "1001", "payment_methods": ["USDT-TRON"]}
    same = await shop.invoice(key, **wanted)
    for _ in range(3):
        await shop.invoice(key, order_id="1001", amount="1.00")
        await shop.invoice(key, order_id="1001", payment_methods=["TRX-TRON", "SOL-SOLANA"])
    asked: list[str] = []

    def note(*heard: Any) -> None:
        asked.append(heard[2])

    event.listen(shop.database.engine.sync_engine, "before_cursor_execute", note)
    again = await shop.invoice(key, reuse_pending=True, **wanted)
    event.remove(shop.database.engine.sync_engine, "before_cursor_execute", note)
    assert again["id"] == same["id"]
    # Once to find it, once to show it.
    assert sum("FROM payment_option " in each for each in asked) <= 3
    await shop.run(
        "INSERT INTO invoice (id, merchant_id, livemode, order_id, metadata, amount, currency,"
        " tolerance_basis_points, status, exception, final, created_at, expires_at, monitoring_until)"
        " SELECT 'inv_z' || n, merchant_id, livemode, order_id, metadata, amount, currency,"
        " tolerance_basis_points, status, exception, final, created_at, expires_at, monitoring_until"
        " FROM invoice, generate_series(1, 60) n WHERE id = :id",
        id=same["id"],
    )
    assert (await shop.invoice(key, reuse_pending=True, **wanted))["id"] != same["id"]
