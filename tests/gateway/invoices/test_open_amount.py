"""Invoices that take whatever comes: counted at the price of receipt, never too little or too much."""

from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.db import CROSS_TENANT
from gateway.invoices.expiry import expire_round
from tests.gateway.shop import PRICES, Shop

pytestmark = pytest.mark.anyio


async def test_whatever_comes_is_credited_at_the_price_of_its_receipt(shop: Shop) -> None:
    """Each at its block's price, whenever it is seen; no due, no surplus; later prices are nothing."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(
        key,
        amount=None,
        payment_methods=["ETH-ETHEREUM", "TRX-TRON"],
        activate=["ETH-ETHEREUM"],
    )
    option = invoice["payment_options"][0]
    assert (invoice["amount"], invoice["amount_due"], invoice["amount_paid"]) == (
        None,
        None,
        "0.00",
    )
    assert (option["amount"], option["amount_atomic"], option["amount_due"]) == (None,) * 3
    assert option["payment_uri"] == f"ethereum:{option['address']}@31337"
    path = f"/v1/invoices/{invoice['id']}"
    page = (await shop.call("GET", f"/i/{invoice['id']}")).text
    assert "Any amount of" in page
    await shop.pay(option["address"], "ETH-ETHEREUM", 10**16, tx="0x1")
    seen = (await shop.call("GET", path, key)).json()
    assert (seen["status"], seen["exception"], seen["amount_paid"]) == (
        "processing",
        "none",
        "25.00",
    )
    await shop.prices({**PRICES, "ETH": Decimal(3000)})
    await shop.pay(option["address"], "ETH-ETHEREUM", 10**16, tx="0x2", final=True)
    came = shop.at()
    await shop.prices({**PRICES, "ETH": Decimal(1)})
    await shop.pay(
        option["address"], "ETH-ETHEREUM", 10**16, tx="0x3", final=True, block_time=came
    )
    await shop.run("DELETE FROM price_history WHERE price = 2500")
    paid = (await shop.call("GET", path, key)).json()
    assert (paid["status"], paid["exception"], paid["final"]) == ("settled", "none", True)
    assert (paid["amount_paid"], paid["amount_due"], paid["amount_overpaid"]) == (
        "85.00",
        None,
        "0.00",
    )
    refund = {"kind": "excess", "destination": "0x" + "00" * 19 + "01", "reason": "too much"}
    answer = await shop.call(
        "POST", f"{path}/refunds", key, json=refund, headers={"Idempotency-Key": "r"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_refund")


async def test_an_open_amount_expires_and_is_paid_late_by_anything(shop: Shop) -> None:
    """Nothing on time is expired; anything afterwards settles it as late."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, amount=None, payment_methods=["TRX-TRON"])
    shop.clock.at += timedelta(minutes=61)
    await shop.healthy("tron")
    async with shop.owner.unit_of_work(CROSS_TENANT):
        await expire_round(shop.owner, shop.settings, shop.clock())
    path = f"/v1/invoices/{invoice['id']}"
    assert (await shop.call("GET", path, key)).json()["status"] == "expired"
    await shop.prices(PRICES)
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, "TRX-TRON", 4 * 10**6, tx="aa", final=True)
    late = (await shop.call("GET", f"{path}?expand[]=deposits", key)).json()
    assert (late["status"], late["exception"], late["amount_paid"]) == (
        "settled",
        "paid_late",
        "1.00",
    )
    [deposit] = late["deposits"]
    assert (deposit["tx_hash"], deposit["late"], deposit["amount"]) == ("aa", True, "4.000000")
