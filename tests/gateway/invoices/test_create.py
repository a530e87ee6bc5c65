"""Creating invoices: the amount, the offers, the addresses."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.domain.addresses import canonical, display
from tests.gateway.shop import ALL_TEST_METHODS, Shop, pool_address

pytestmark = pytest.mark.anyio

ORDER = {"amount": "49.90", "currency": "USD"}


def option(invoice: dict[str, Any], method: str) -> dict[str, Any]:
    """Return one payment option of an invoice document."""
    return next(dict(o) for o in invoice["payment_options"] if o["payment_method"] == method)


def addresses(invoice: dict[str, Any]) -> set[str]:
    """Return every address that an invoice shows."""
    return {o["address"] for o in invoice["payment_options"] if o["address"] is not None}


async def test_every_available_method_is_offered_at_its_locked_rate(shop: Shop) -> None:
    """Five methods of three test networks, each with what is due in base units, rounded up."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, amount="10.00")
    methods = [o["payment_method"] for o in invoice["payment_options"]]
    assert methods == ALL_TEST_METHODS
    assert option(invoice, "ETH-ETHEREUM")["amount_atomic"] == str(4 * 10**15)
    assert option(invoice, "TRX-TRON")["amount"] == "40.000000"
    assert option(invoice, "SOL-SOLANA")["rate"] == "200"
    assert (invoice["status"], invoice["exception"]) == ("pending", "none")
    assert (invoice["amount_due"], invoice["amount_paid"]) == ("10.00", "0.00")
    assert addresses(invoice) == set()
    assert [step["reason"] for step in invoice["timeline"]] == ["the invoice was created"]


async def test_rounding_is_against_the_payer_by_less_than_one_unit(shop: Shop) -> None:
    """A third of a dollar's TRX cannot be paid exactly; the payer owes the next unit."""
    _, key = await shop.merchant_and_key()
    await shop.prices({"TRX": Decimal("0.3")})
    invoice = await shop.invoice(key, amount="1.00", payment_methods=["TRX-TRON"])
    assert option(invoice, "TRX-TRON")["amount_atomic"] == "3333334"
    await shop.pay(option(invoice, "TRX-TRON")["address"], "TRX-TRON", 3333334)
    answer = await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)
    paid = answer.json()
    assert (paid["status"], paid["exception"]) == ("processing", "none")
    money = (paid["amount_paid"], paid["amount_due"], paid["amount_overpaid"])
    assert money == ("1.00", "0.00", "0.00")


async def test_the_one_method_gets_its_address_at_once(shop: Shop) -> None:
    """There is nothing to choose; the address comes from the pool and is shown with checksum."""
    merchant, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    [shown] = addresses(invoice)
    assert shown == display(pool_address("ethereum", 0))
    assert shown != shown.lower()
    rows = await shop.rows(
        "SELECT address, status, merchant_id FROM address_pool WHERE invoice_id = :id",
        id=invoice["id"],
    )
    assert rows == [(canonical("ethereum", shown), "ASSIGNED", merchant)]


async def test_options_of_one_network_share_one_address(shop: Shop) -> None:
    """TRX and USDT of one invoice arrive at the same Tron address; Solana has its own."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, activate=["TRX-TRON", "USDT-TRON", "SOL-SOLANA"])
    assert len(addresses(invoice)) == 2
    assert option(invoice, "TRX-TRON")["address"] == option(invoice, "USDT-TRON")["address"]
    assert option(invoice, "ETH-ETHEREUM")["address"] is None
    rows = await shop.rows("SELECT 1 FROM address_pool WHERE status = 'ASSIGNED'")
    assert len(rows) == 2


async def test_an_invoice_in_a_coin_needs_no_price(shop: Shop) -> None:
    """One ETH is one ETH; the other methods need prices and are left out without them."""
    _, key = await shop.merchant_and_key()
    shop.clock.at += timedelta(hours=1)
    for network in ("ethereum", "tron", "solana"):
        await shop.healthy(network)
    invoice = await shop.invoice(key, amount="1.000000000000000001", currency="ETH")
    [only] = invoice["payment_options"]
    assert (only["payment_method"], only["rate"]) == ("ETH-ETHEREUM", "1")
    assert only["amount_atomic"] == str(10**18 + 1)
    assert invoice["amount"] == "1.000000000000000001"
    assert only["address"] is not None


async def test_the_merchants_settings_are_the_defaults(shop: Shop) -> None:
    """Expiry, monitoring and tolerance; the order may ask for others."""
    _, key = await shop.merchant_and_key()
    changes = {"invoice_expiry_minutes": 15, "payment_tolerance_percent": "2"}
    await shop.call("PATCH", "/v1/merchant", await shop.live_key(key), json=changes)
    usual = await shop.invoice(key)
    assert (usual["expires_at"][11:16], usual["payment_tolerance_percent"]) == ("14:15", "2")
    assert usual["monitoring_until"][:16] == "2026-11-27T14:15"
    special = await shop.invoice(
        key,
        expires_in_minutes=120,
        payment_tolerance_percent="0.25",
        confirmations=3,
        order_id="A-1",
        description="Espresso",
        metadata={"table": "7"},
        success_url="https://shop.example/thanks",
        cancel_url="http://127.0.0.1/back",
    )
    assert (special["expires_at"][11:16], special["payment_tolerance_percent"]) == (
        "16:00",
        "0.25",
    )
    wanted = {
        "confirmations": 3, "order_id": "A-1", "description": "Espresso",
        "metadata": {"table": "7"}, "success_url": "https://shop.example/thanks",
        "cancel_url": "http://127.0.0.1/back",
    }  # fmt: skip
    assert {name: special[name] for name in wanted} == wanted
    assert special["checkout_url"] == f"http://127.0.0.1:8080/i/{special['id']}"


async def test_it_is_told_and_on_record(shop: Shop) -> None:
    """One event with the full document, one line in the audit log, in the same transaction."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["TRX-TRON"])
    page = (await shop.call("GET", "/v1/events", key)).json()
    assert [event["type"] for event in page["data"]] == ["invoice.created"]
    assert page["data"][0]["data"]["object"] == invoice
    rows = await shop.rows(
        "SELECT actor, subject FROM audit_log WHERE action = 'invoice.created'"
    )
    assert [(row.actor[:4], row.subject) for row in rows] == [("key_", invoice["id"])]


async def test_a_live_key_sees_live_networks_only(shop: Shop) -> None:
    """And a test invoice does not exist for it."""
    merchant, test_key = await shop.merchant_and_key()
    live_key = await shop.key(merchant, livemode=True)
    live = await shop.invoice(live_key)
    assert [o["payment_method"] for o in live["payment_options"]] == ["ETH-MAINNET"]
    assert live["livemode"] is True
    named = {**ORDER, "payment_methods": ["TRX-TRON"]}
    answer = await shop.call("POST", "/v1/invoices", live_key, json=named)
    assert answer.json()["code"] == "unknown_payment_method"
    test = await shop.invoice(test_key)
    for key, foreign in ((live_key, test), (test_key, live)):
        answer = await shop.call("GET", f"/v1/invoices/{foreign['id']}", key)
        assert answer.status_code == 404


async def test_a_repeated_request_makes_one_invoice(shop: Shop) -> None:
    """Same idempotency key, same answer, one address used."""
    _, key = await shop.merchant_and_key()
    body = {**ORDER, "payment_methods": ["TRX-TRON"]}
    headers = {"Idempotency-Key": "order 1"}
    first, again = [
        await shop.call("POST", "/v1/invoices", key, json=body, headers=headers)
        for _ in range(2)
    ]
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await shop.rows("SELECT 1 FROM address_pool WHERE status = 'ASSIGNED'")) == 1
    other = {**body, "amount": "50"}
    reused = await shop.call("POST", "/v1/invoices", key, json=other, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_concurrent_invoices_never_share_an_address(shop: Shop) -> None:
    """Eight at once, of two merchants, on one network with addresses for just them."""
    await shop.run("DELETE FROM free_address WHERE network_id = 'tron'")
    await shop.stock("tron", 8, first=100)
    keys = [(await shop.merchant_and_key())[1] for _ in range(2)]
    body = {"payment_methods": ["USDT-TRON"]}
    invoices = await asyncio.gather(*(shop.invoice(keys[n % 2], **body) for n in range(8)))
    shown = [invoice["payment_options"][0]["address"] for invoice in invoices]
    assert len(set(shown)) == 8
    empty = await shop.call("POST", "/v1/invoices", keys[0], json={**ORDER, **body})
    assert (empty.status_code, empty.json()["code"]) == (503, "pool_empty")


async def test_an_empty_pool_disables_only_its_own_network(shop: Shop) -> None:
    """The others are offered; named by itself the method is refused with the reason."""
    _, key = await shop.merchant_and_key()
    await shop.run("DELETE FROM free_address WHERE network_id = 'tron'")
    invoice = await shop.invoice(key)
    methods = {o["payment_method"] for o in invoice["payment_options"]}
    assert methods == {"ETH-ETHEREUM", "USDC-ETHEREUM", "SOL-SOLANA"}
    named = {**ORDER, "payment_methods": ["ETH-ETHEREUM", "USDT-TRON"]}
    answer = await shop.call("POST", "/v1/invoices", key, json=named)
    assert (answer.status_code, answer.json()["code"]) == (503, "pool_empty")
    assert answer.headers["Retry-After"]
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/payment_methods/1", "pool_empty")


async def test_a_silent_watcher_and_a_stale_price_are_reasons_too(shop: Shop) -> None:
    """Each disables what depends on it."""
    _, key = await shop.merchant_and_key()
    await shop.healthy("solana", trouble="no node answers")
    body = {**ORDER, "payment_methods": ["SOL-SOLANA"]}
    answer = await shop.call("POST", "/v1/invoices", key, json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "network_lagging")
    shop.clock.at += timedelta(hours=1)
    await shop.healthy("tron")
    body = {**ORDER, "payment_methods": ["TRX-TRON"]}
    answer = await shop.call("POST", "/v1/invoices", key, json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "price_stale")


async def test_without_any_method_there_is_no_invoice(shop: Shop) -> None:
    """503, every reason is named, nothing is written."""
    _, key = await shop.merchant_and_key()
    await shop.run("DELETE FROM free_address")
    answer = await shop.call("POST", "/v1/invoices", key, json=ORDER)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_payment_method_available")
    assert "TRX-TRON (pool_empty)" in answer.json()["detail"]
    assert await shop.rows("SELECT 1 FROM invoice") == []
