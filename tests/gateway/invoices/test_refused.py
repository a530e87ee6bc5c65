"""What an invoice must not be made of; each refusal points at its field."""

from typing import Any

import pytest

from tests.gateway.shop import ALL_TEST_METHODS, Shop

pytestmark = pytest.mark.anyio

AMOUNTS = [
    "0", "0.00", "-1", "+1", "1e3", "1E-3", "1,5", ".5", "5.", "01", " 1", "1 ", "1_0", "",
    "NaN", "Infinity", "0x1", "\u0661\u0662", "\uff11", "1.234", "1" + "0" * 20, "9" * 79, "1" * 60,
]  # fmt: skip
BODIES: list[tuple[dict[str, Any], str, str]] = [
    ({"amount": 49.9}, "/amount", "type"),
    ({"amount": 49}, "/amount", "type"),
    ({"amount": 49.9}, "/amount", "type"),
    ({"reuse_pending": True}, "/order_id", "missing"),
    ({"customer_id": "cus_nobody"}, "/customer_id", "unknown_customer"),
    ({"currency": "XXX"}, "/currency", "unknown_currency"),
    ({"currency": "usd"}, "/currency", "invalid"),
    ({"currency": "USD\n"}, "/currency", "invalid"),
    ({"colour": "red"}, "/colour", "unknown_field"),
    ({"payment_methods": []}, "/payment_methods", "invalid"),
    ({"payment_methods": ["TRX-TRON", "X-Y"]}, "/payment_methods/1", "unknown_payment_method"),
    ({"payment_methods": ["ETH-MAINNET"]}, "/payment_methods/0", "unknown_payment_method"),
    ({"activate": ["X-Y"]}, "/activate/0", "unknown_payment_method"),
    (
        {"payment_methods": ["TRX-TRON"], "activate": ["USDT-TRON"]},
        "/activate/0",
        "unknown_payment_method",
    ),
    ({"expires_in_minutes": 0}, "/expires_in_minutes", "invalid"),
    ({"expires_in_minutes": "60"}, "/expires_in_minutes", "type"),
    ({"expires_in_seconds": 4}, "/expires_in_seconds", "invalid"),
    ({"expires_in_seconds": 60, "expires_in_minutes": 1}, "/expires_in_seconds", "ambiguous"),
    ({"payment_tolerance_percent": "11"}, "/payment_tolerance_percent", "invalid"),
    ({"payment_tolerance_percent": "10.01"}, "/payment_tolerance_percent", "invalid"),
    ({"confirmations": -1}, "/confirmations", "invalid"),
    ({"order_id": ""}, "/order_id", "invalid"),
    ({"order_id": "x" * 201}, "/order_id", "invalid"),
    ({"order_id": "a\u0000b"}, "/order_id", "invalid_text"),
    ({"description": "x" * 501}, "/description", "invalid"),
    ({"metadata": {"a": 1}}, "/metadata", "type"),
    ({"metadata": {"a": "x" * 501}}, "/metadata", "invalid"),
    ({"metadata": {str(n): "" for n in range(51)}}, "/metadata", "invalid"),
    ({"success_url": "javascript:alert(1)"}, "/success_url", "invalid"),
    ({"success_url": "https://a b"}, "/success_url", "invalid"),
    ({"cancel_url": "data:text/html,x"}, "/cancel_url", "invalid"),
    ({"cancel_url": "https://shop.example\n"}, "/cancel_url", "invalid"),
]


async def test_amounts_of_every_bad_kind(shop: Shop) -> None:
    """Nothing is rounded, trimmed or guessed."""
    _, key = await shop.merchant_and_key()
    for amount in AMOUNTS:
        body = {"amount": amount, "currency": "USD"}
        answer = await shop.call("POST", "/v1/invoices", key, json=body)
        assert answer.status_code == 422, amount
        [fault] = answer.json()["errors"]
        assert fault["pointer"] == "/amount", amount
    assert await shop.rows("SELECT 1 FROM invoice") == []


TOO_FINE = [
    ("JPY", "1.5"),
    ("USD", "1.001"),
    ("USDC", "0.0000001"),
    ("ETH", "0." + "0" * 18 + "1"),
]


async def test_nobody_is_asked_for_dust(shop: Shop) -> None:
    """Who pays 0.01 USD in ether pays less than is ever credited: the method is not offered."""
    _, key = await shop.merchant_and_key()
    for named in (["ETH-ETHEREUM"], ["ETH-ETHEREUM", "USDT-TRON"]):
        body = {"amount": "2.49", "currency": "USD", "payment_methods": named}
        answer = await shop.call("POST", "/v1/invoices", key, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "amount_too_small")
        assert "0.001000000000000000 ETH" in answer.json()["detail"]
        assert answer.json()["errors"][0]["pointer"] == "/amount"
    made = await shop.invoice(key, amount="2.49")
    offered = [option["payment_method"] for option in made["payment_options"]]
    assert offered == [each for each in ALL_TEST_METHODS if each != "ETH-ETHEREUM"]
    least = await shop.invoice(key, amount="2.50", payment_methods=["ETH-ETHEREUM"])
    option = least["payment_options"][0]
    await shop.pay(option["address"], "ETH-ETHEREUM", int(option["amount_atomic"]), final=True)
    assert (await shop.call("GET", f"/v1/invoices/{least['id']}", key)).json()["final"] is True
    await shop.invoice(key, amount=None, payment_methods=["ETH-ETHEREUM"])


async def test_no_more_decimals_than_the_currency_has(shop: Shop) -> None:
    """A tenth of a cent is no amount of money."""
    _, key = await shop.merchant_and_key()
    for currency, amount in TOO_FINE:
        body = {"amount": amount, "currency": currency}
        answer = await shop.call("POST", "/v1/invoices", key, json=body)
        assert answer.status_code == 422, currency
        assert answer.json()["errors"][0]["pointer"] == "/amount"


async def test_every_other_bad_field(shop: Shop) -> None:
    """Pointer and code of each; the invoice is not written."""
    _, key = await shop.merchant_and_key()
    for change, pointer, code in BODIES:
        body = {"amount": "49.90", "currency": "USD", **change}
        answer = await shop.call("POST", "/v1/invoices", key, json=body)
        assert answer.status_code == 422, change
        [fault] = answer.json()["errors"]
        assert fault["pointer"].startswith(pointer), (change, fault)
        assert fault["code"] == code, (change, fault)
    assert await shop.rows("SELECT 1 FROM invoice") == []


async def test_no_scope_no_invoice(shop: Shop) -> None:
    """Reading is not writing, and no key is neither."""
    merchant, _ = await shop.merchant_and_key()
    reader = await shop.key(merchant, ["invoices:read"])
    body = {"amount": "1", "currency": "USD"}
    assert (await shop.call("POST", "/v1/invoices", reader, json=body)).status_code == 403
    assert (await shop.call("POST", "/v1/invoices", json=body)).status_code == 401
    operator = await shop.key(None)
    assert (await shop.call("GET", "/v1/invoices", operator)).status_code == 403
