"""What people say about invoices: marks, fresh rates; and what the API's role may not say."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.gateway.shop import PRICES, Shop

pytestmark = pytest.mark.anyio


async def post(shop: Shop, key: str, invoice: dict[str, Any], what: str, **body: Any) -> Any:
    """Do something to an invoice."""
    return await shop.call(
        "POST", f"/v1/invoices/{invoice['id']}/{what}", key, json=body or None
    )


async def test_a_mark_is_the_last_word(shop: Shop) -> None:
    """With reason, event and audit; payments that come are credited and change nothing of it."""
    merchant_id, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    assert (await post(shop, key, invoice, "mark", status="settled")).status_code == 422
    assert (
        await post(shop, key, invoice, "mark", status="expired", reason="x")
    ).status_code == 422
    reason = {"reason": "paid in cash"}
    marked = (await post(shop, key, invoice, "mark", status="settled", **reason)).json()
    assert (marked["status"], marked["exception"], marked["final"]) == (
        "settled",
        "marked",
        True,
    )
    assert marked["timeline"][-1]["reason"] == "marked settled: paid in cash"
    assert (await post(shop, key, invoice, "mark", status="settled", **reason)).json() == marked
    assert "Paid in" not in (await shop.call("GET", f"/i/{invoice['id']}/receipt")).text
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, "USDT-TRON", 10**6, tx="aa", final=True)
    paid = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    assert (paid["status"], paid["exception"], paid["amount_paid"]) == (
        "settled",
        "marked",
        "1.00",
    )
    assert await shop.rows("SELECT 1 FROM wallet WHERE account = :id", id=merchant_id)
    spoiled = (await post(shop, key, invoice, "mark", status="invalid", reason="fraud")).json()
    assert (spoiled["status"], spoiled["exception"]) == ("invalid", "marked")
    events = await shop.rows(
        "SELECT type FROM event WHERE subject = :id AND type IN ('invoice.settled', "
        "'invoice.invalid') ORDER BY sequence",
        id=invoice["id"],
    )
    assert [row.type for row in events] == ["invoice.settled", "invoice.invalid"]
    [first, second] = await shop.rows(
        "SELECT before, after FROM audit_log WHERE action = 'invoice.marked' ORDER BY id"
    )
    assert first.before == {"status": "pending", "exception": "none"}
    assert second.after == {"status": "invalid", "exception": "marked", "reason": "fraud"}


async def test_fresh_rates_are_locked_for_what_is_not_paid(shop: Shop) -> None:
    """The old lock stays in the history; what was paid in keeps its own; then it is too late."""
    _, key = await shop.merchant_and_key()
    methods = ["ETH-ETHEREUM", "SOL-SOLANA", "USDC-ETHEREUM"]
    invoice = await shop.invoice(
        key, amount="100.00", payment_methods=methods, activate=["SOL-SOLANA"]
    )
    sol = next(o for o in invoice["payment_options"] if o["payment_method"] == "SOL-SOLANA")
    await shop.pay(sol["address"], "SOL-SOLANA", 10**8, tx="s")
    await shop.prices({**PRICES, "ETH": Decimal(5000), "SOL": Decimal(400)})
    fresh = (await post(shop, key, invoice, "refresh_rate")).json()
    options = {o["payment_method"]: o for o in fresh["payment_options"]}
    eth = options["ETH-ETHEREUM"]
    # 20 of 100 USD are paid: 80 are due, at 5000.
    assert (eth["amount"], eth["amount_due"], eth["rate"]) == (
        "0.020000000000000000",
        "0.016000000000000000",
        "5000",
    )
    [past] = eth["rate_history"]
    assert (past["amount"], past["rate"], past["until"]) == (
        "0.040000000000000000",
        "2500",
        eth["rate_locked_at"],
    )
    assert (options["SOL-SOLANA"]["rate"], options["SOL-SOLANA"]["rate_history"]) == ("200", [])
    assert await shop.rows("SELECT 1 FROM event WHERE type = 'invoice.rate_refreshed'")
    assert await shop.rows("SELECT 1 FROM audit_log WHERE action = 'invoice.rate_refreshed'")
    await shop.pay(sol["address"], "SOL-SOLANA", 10**8, tx="t")
    paid = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    assert (paid["exception"], paid["amount_due"]) == ("paid_partial", "60.00")
    await shop.call("POST", f"/v1/invoices/{invoice['id']}/cancel", key)
    answer = await post(shop, key, invoice, "refresh_rate")
    assert (answer.status_code, answer.json()["code"]) == (409, "invoice_not_open")
    stale = await shop.invoice(key, payment_methods=["TRX-TRON"])
    await shop.run("DELETE FROM price_history WHERE code = 'TRX'")
    answer = await post(shop, key, stale, "refresh_rate")
    assert (answer.status_code, answer.json()["code"]) == (503, "price_stale")


async def test_fresh_rates_ask_nobody_for_dust(shop: Shop) -> None:
    """A coin that has risen so far keeps the rate it had; where that is all, it is said."""
    _, key = await shop.merchant_and_key()
    await shop.run("UPDATE currency SET minimum_deposit_units = 3 * 10^16 WHERE code = 'ETH'")
    methods = ["ETH-ETHEREUM", "SOL-SOLANA"]
    invoice = await shop.invoice(key, amount="100.00", payment_methods=methods)
    alone = await shop.invoice(key, amount="100.00", payment_methods=methods[:1])
    await shop.prices({**PRICES, "ETH": Decimal(5000), "SOL": Decimal(400)})
    fresh = (await post(shop, key, invoice, "refresh_rate")).json()
    eth, sol = fresh["payment_options"]
    assert (eth["amount"], eth["rate"], eth["rate_history"]) == (
        "0.040000000000000000",
        "2500",
        [],
    )
    assert (sol["amount"], sol["rate"]) == ("0.250000000", "400")
    refused = await post(shop, key, alone, "refresh_rate")
    assert (refused.status_code, refused.json()["code"]) == (422, "amount_too_small")
    assert "0.030000000000000000 ETH" in refused.json()["detail"]
    assert (await shop.call("GET", f"/v1/invoices/{alone['id']}", key)).json() == alone
    await shop.prices({**PRICES, "ETH": Decimal(3000)})
    [eth] = (await post(shop, key, alone, "refresh_rate")).json()["payment_options"]
    assert eth["rate"] == "3000"


@pytest.mark.parametrize(
    ("price", "units", "minutes", "exception", "due"),
    [
        # 0.04 ETH were asked for; afterwards 0.05, or 0.02.
        (2000, 40, 14, "none", "0.00"),
        (2000, 50, 14, "none", "0.00"),
        (2000, 51, 14, "paid_over", "0.00"),
        (2000, 40, 16, "paid_partial", "20.00"),
        (5000, 40, 14, "none", "0.00"),
        (5000, 20, 14, "none", "0.00"),
        (5000, 40, 16, "paid_over", "0.00"),
    ],
)
async def test_a_payment_on_its_way_counts_at_the_rate_that_its_payer_saw(
    shop: Shop, price: int, units: int, minutes: int, exception: str, due: str
) -> None:
    """For a quarter of an hour after fresh rates, whichever is better; document and refunds agree."""
    _, key = await shop.merchant_and_key()
    eth, thousandth = "ETH-ETHEREUM", 10**15
    invoice = await shop.invoice(key, amount="100.00", payment_methods=[eth])
    address = invoice["payment_options"][0]["address"]
    await shop.prices({**PRICES, "ETH": Decimal(price)})
    assert (await post(shop, key, invoice, "refresh_rate")).status_code == 200
    at = shop.at() + timedelta(minutes=minutes)
    await shop.pay(address, eth, units * thousandth, final=True, block_time=at)
    paid = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    assert (paid["exception"], paid["amount_due"]) == (exception, due)
    assert paid["status"] == ("pending" if exception == "paid_partial" else "settled")
    over = exception == "paid_over"
    assert (paid["amount_overpaid"] != "0.00") == over
    body = {"kind": "excess", "destination": "0x" + "1" * 40, "reason": "too much"}
    refund = await shop.call(
        "POST", f"/v1/invoices/{invoice['id']}/refunds", key, json=body,
        headers={"Idempotency-Key": "1"},
    )  # fmt: skip
    assert refund.status_code == (201 if over else 409), refund.text


FORBIDDEN = (
    "UPDATE invoice SET status = 'settled', final = true",
    "UPDATE invoice SET status = 'settled', exception = 'paid_late'",
    "UPDATE invoice SET status = 'processing'",
    "UPDATE invoice SET final = true",
    "UPDATE invoice SET paid_at = now()",
    "UPDATE invoice SET amount = 1",
    "UPDATE invoice SET expires_at = now()",
    "UPDATE payment_option SET amount_units = 1, rate_at = now() WHERE currency_id = 'USDT-TRON'",
    "UPDATE payment_option_rate SET rate = 1",
    "DELETE FROM invoice_word",
    "SELECT end_test_invoice(id, now()) FROM invoice",
    "INSERT INTO receipt_rate SELECT id, currency_id, invoice_id, merchant_id, 9, 'x', now() FROM deposit",
)


async def test_the_apis_role_judges_no_invoice(shop: Shop) -> None:
    """Plain SQL as gw_api: no standing, no time, no price of what was paid in."""
    merchant_id, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    await shop.pay(invoice["payment_options"][0]["address"], "USDT-TRON", 10**6, tx="aa")
    for statement in FORBIDDEN:
        with pytest.raises(DBAPIError):
            async with shop.database.unit_of_work(merchant_id) as session:
                await session.execute(text(statement))
