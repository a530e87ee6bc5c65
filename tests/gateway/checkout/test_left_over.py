"""What is left of an invoice may be too little for another coin: nobody is sent there to lose it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.checkout.test_checkout import look, words
from tests.gateway.shop import PRICES, Shop

pytestmark = pytest.mark.anyio
METHODS = ["ETH-ETHEREUM", "USDC-ETHEREUM", "USDT-TRON"]


async def partly_paid(shop: Shop) -> tuple[str, dict[str, Any]]:
    """Return a key and an invoice over 49.90 USD of which 0.90 is left: 0.00036 ETH, least is 0.001."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=METHODS, activate=["USDC-ETHEREUM"])
    [address] = [each["address"] for each in invoice["payment_options"] if each["address"]]
    await shop.pay(address, "USDC-ETHEREUM", 49_000_000)
    return key, (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()


async def test_an_option_says_that_what_is_left_cannot_be_paid_in_it(shop: Shop) -> None:
    """The coin that was paid with takes any rest; one without a minimum as well."""
    _, invoice = await partly_paid(shop)
    assert (invoice["exception"], invoice["amount_due"]) == ("paid_partial", "0.90")
    shown = {
        each["payment_method"]: (each["available"], each["reason"], each["amount_due"])
        for each in invoice["payment_options"]
    }
    assert shown == {
        "ETH-ETHEREUM": (False, "amount_too_small", "0.000360000000000000"),
        "USDC-ETHEREUM": (True, None, "0.900000"),
        "USDT-TRON": (True, None, "0.900000"),
    }
    await shop.run("UPDATE currency SET minimum_deposit_units = 5000000 WHERE code = 'USDC'")
    again = (await shop.call("GET", f"/i/{invoice['id']}/status")).json()
    assert again["amounts_due"] == {"USDC-ETHEREUM": "0.900000", "USDT-TRON": "0.900000"}, (
        "what came in a coin counts towards its minimum"
    )


async def test_the_page_offers_only_what_the_rest_can_be_paid_in(shop: Shop) -> None:
    """Whoever asks for the other by its name is shown one that works."""
    _, invoice = await partly_paid(shop)
    for wanted in ({}, {"method": "ETH-ETHEREUM"}):
        page = await look(shop, invoice, **wanted)
        assert 'value="ETH-ETHEREUM"' not in page.text
        assert 'value="USDT-TRON"' in page.text
        assert "0.90 USDC" in words(page)


async def test_no_address_is_given_where_the_rest_cannot_be_paid(shop: Shop) -> None:
    """Neither to the merchant nor to a payer who has an old page before him."""
    key, invoice = await partly_paid(shop)
    path = f"/v1/invoices/{invoice['id']}/payment_options/ETH-ETHEREUM"
    refused = await shop.call("POST", path, key)
    assert (refused.status_code, refused.json()["code"]) == (422, "amount_too_small")
    form = {"payment_method": "ETH-ETHEREUM"}
    page = await shop.call("POST", f"/i/{invoice['id']}/choose", data=form)
    assert page.status_code == 422
    assert "ETH-ETHEREUM takes 0.001000000000000000 ETH at least" in words(page)


async def test_a_wallet_is_not_asked_for_what_would_be_lost(shop: Shop) -> None:
    """An option that has its address already keeps it, without code and links."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=METHODS, activate=METHODS)
    address = invoice["payment_options"][1]["address"]
    await shop.pay(address, "USDC-ETHEREUM", 49_000_000)
    shown = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    ether = shown["payment_options"][0]
    assert (ether["available"], ether["address"]) == (False, address)
    assert (ether["payment_uri"], ether["qr_text"], ether["wallet_links"]) == (None, None, [])
    page = await look(shop, invoice, method="ETH-ETHEREUM")
    assert "0.90 USDC" in words(page)
    assert "Pay in another way USDT on TRON" in words(page)
    settled = await shop.invoice(key, payment_methods=["USDT-TRON"])
    await shop.pay(
        settled["payment_options"][0]["address"], "USDT-TRON", 49_900_000, tx="0xfee1"
    )
    paid = (await shop.call("GET", f"/v1/invoices/{settled['id']}", key)).json()
    [option] = paid["payment_options"]
    assert (option["available"], option["reason"]) == (False, "nothing_due")


async def test_where_the_rest_is_too_little_for_every_way_the_page_says_so(shop: Shop) -> None:
    """A minimum that was raised meanwhile; the address is not shown any more."""
    _, invoice = await partly_paid(shop)
    await shop.run("UPDATE currency SET minimum_deposit_units = 10 ^ 20")
    page = await look(shop, invoice)
    assert "What is left is too little to be paid by itself" in words(page)
    assert "Send the rest" not in words(page)
    assert "<button" not in page.text
    assert 'id="address"' not in page.text
    assert (await shop.call("GET", f"/i/{invoice['id']}/status")).json()["amounts_due"] == {}


async def test_a_part_that_comes_too_late_is_told_to_shop_and_payer(shop: Shop) -> None:
    """The money is credited: an invoice that says `none` would let the shop think nothing came."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    shop.clock.at += timedelta(hours=2)
    await shop.prices(PRICES)
    [option] = invoice["payment_options"]
    await shop.pay(option["address"], "USDT-TRON", 20_000_000, final=True)
    shown = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    assert (shown["status"], shown["exception"]) == ("expired", "paid_partial")
    assert (shown["amount_paid"], shown["amount_due"]) == ("20.00", "29.90")
    page = words(await look(shop, invoice))
    assert "20.00 USD has arrived, 29.90 USD has not." in page
    assert "arrived in time" not in page
    read = await shop.call("GET", "/v1/events", key, params={"subject": invoice["id"]})
    assert "invoice.expired" in {each["type"] for each in read.json()["data"]}
