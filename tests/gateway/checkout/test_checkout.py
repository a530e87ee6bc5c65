"""What a payer sees, over HTTP and without a key."""

import re
from base64 import b64encode
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from html import unescape
from typing import Any

import httpx
import pytest
import segno

from tests.gateway.shop import PRICES, Shop

pytestmark = pytest.mark.anyio

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\u0007'


async def look(shop: Shop, invoice: dict[str, Any], **query: str) -> httpx.Response:
    """Open the page of an invoice."""
    return await shop.call("GET", f"/i/{invoice['id']}", params=query)


def words(page: httpx.Response) -> str:
    """Return what can be read on a page: its text without markup, in one line."""
    body = page.text.partition("<body>")[2]
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


def heading(page: httpx.Response) -> str:
    """Return the state in words."""
    found = re.search(r"<h1>(.*?)</h1>", page.text)
    assert found is not None
    return unescape(found.group(1))


async def test_amount_network_address_and_qr(shop: Shop) -> None:
    """Everything that is needed to pay, and the address in one piece between its tags."""
    merchant, key = await shop.merchant_and_key()
    await shop.run("UPDATE merchant SET name = 'Café Müller' WHERE id = :id", id=merchant)
    invoice = await shop.invoice(
        key,
        payment_methods=["USDT-TRON"],
        order_id="A-1001",
        description="Espresso",
        metadata={"internal": "do not show"},
    )
    [option] = invoice["payment_options"]
    page = await look(shop, invoice)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    text = words(page)
    for said in (
        "Café Müller", "Espresso", "Order A-1001", "49.90 USDT", "on TRON", "for 49.90 USD",
        "Waiting for your payment", "Send only USDT on TRON.", "15:00 UTC, in 59 minutes",
        option["contract_address"],
    ):  # fmt: skip
        assert said in text, said
    assert "do not show" not in page.text
    address = option["address"]
    assert f"<b>{address[:6]}</b>{address[6:-6]}<b>{address[-6:]}</b>" in page.text
    code = segno.make(option["qr_text"], error="m", micro=False)
    assert code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True) in page.text


async def test_an_open_page_stays_and_asks_for_its_state(shop: Shop) -> None:
    """Its script finds where to ask; a browser without script loads it again, and slowly."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    page = await look(shop, invoice)
    here = f"/i/{invoice['id']}?method=USDT-TRON"
    slow = f'<noscript><meta http-equiv="refresh" content="20; url={here}"></noscript>'
    assert slow in page.text
    assert page.text.count("http-equiv") == 1
    assert f'<main data-page="{here}" data-status="/i/{invoice["id"]}/status">' in page.text
    assert 'in <span data-seconds="3599">59 minutes</span>' in page.text
    await shop.call("POST", f"/v1/invoices/{invoice['id']}/cancel", key)
    over = await look(shop, invoice)
    for gone in ("<script", "<noscript", "data-status", "data-seconds", "data-copies"):
        assert gone not in over.text, gone
    assert "script-src" not in over.headers["content-security-policy"]


async def test_the_policy_lets_one_script_run_and_it_is_ours(shop: Shop) -> None:
    """By its hash: no other text between the tags has it. It asks its own origin alone."""
    _, key = await shop.merchant_and_key()
    page = await look(shop, await shop.invoice(key, activate=["ETH-ETHEREUM"]))
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = page.headers["content-security-policy"].split("; ")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "connect-src 'self'" in policy
    assert not re.search(r"\beval|https?:|localStorage|\bcookie", script)


async def test_buttons_copy_what_is_shown(shop: Shop) -> None:
    """Hidden until the script shows them; where any amount will do there is none to copy."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    page = (await look(shop, invoice)).text
    for name in ("Amount", "Address"):
        button = (
            f'<button type="button" class="copy" hidden="" data-copies="{name.lower()}" '
            f'data-name="{name}">Copy {name.lower()}</button>'
        )
        assert button in page
        [shown] = re.findall(f'<(p|span) [^>]*id="{name.lower()}">(.*?)</\\1>', page)
        wanted = {"Amount": "49.90", "Address": invoice["payment_options"][0]["address"]}
        assert re.sub("<[^>]*>", "", shown[1]) == wanted[name]
    free = await shop.invoice(key, amount=None, payment_methods=["USDT-TRON"])
    copied = re.findall(r'data-copies="(\w+)"', (await look(shop, free)).text)
    assert copied == ["address"]


async def test_confirmations_are_counted_until_a_payment_is_final(shop: Shop) -> None:
    """The page's script asks for the whole page while one is; the state says nothing of them."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    address = invoice["payment_options"][0]["address"]
    assert "data-counting" not in _main(await look(shop, invoice))
    await shop.pay(address, "USDT-TRON", 20_000_000, tx="aa" * 32)
    assert _main(await look(shop, invoice)).count("data-counting") == 1
    await shop.pay(address, "USDT-TRON", 20_000_000, tx="aa" * 32, final=True)
    assert "data-counting" not in _main(await look(shop, invoice))


def _main(page: httpx.Response) -> str:
    return page.text.partition("<main")[2].partition("</main>")[0]


async def test_no_style_no_stranger(shop: Shop) -> None:
    """The policy forbids them, and the page does not try."""
    _, key = await shop.merchant_and_key()
    page = await look(shop, await shop.invoice(key, activate=["ETH-ETHEREUM"]))
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script |<style|\sstyle=|\son\w+=", page.text)
    assert page.text.count("<script") == 1
    links = re.findall(r'(?:href|src|action)="([^"]*)"', page.text)
    known = ("/i/", "data:,", "ethereum:0x", "https://link.metamask.io/send/0x")
    assert all(link.startswith(known) for link in links), links


async def test_buttons_open_wallets_and_none_has_a_token_as_recipient(shop: Shop) -> None:
    """A chain's own coin: any wallet, MetaMask, Trust Wallet. A token: none that begins with it."""
    merchant, key = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    coin = await shop.invoice(live, payment_methods=["ETH-MAINNET"])
    assert await _buttons(shop, coin) == [
        ("Open in wallet", coin["payment_options"][0]["payment_uri"]),
        *((link["name"], link["url"]) for link in coin["payment_options"][0]["wallet_links"]),
    ]
    assert len(coin["payment_options"][0]["wallet_links"]) == 2
    token = await shop.invoice(key, payment_methods=["USDC-ETHEREUM"])
    contract = token["payment_options"][0]["contract_address"]
    assert contract in token["payment_options"][0]["payment_uri"]
    assert await _buttons(shop, token) == []
    solana = await shop.invoice(key, payment_methods=["SOL-SOLANA"])
    uri = solana["payment_options"][0]["payment_uri"]
    assert await _buttons(shop, solana) == [("Open in wallet", uri)]


async def _buttons(shop: Shop, invoice: dict[str, Any]) -> list[tuple[str, str]]:
    page = (await look(shop, invoice)).text
    found = re.findall(r'<a href="([^"]+)" class="button" rel="noreferrer">([^<]+)</a>', page)
    assert len(found) == page.count('class="button"')
    return [(name, unescape(link)) for link, name in found]


async def test_the_style_sheet_is_served_and_kept(shop: Shop) -> None:
    """Its address names its content, so it may be kept for ever."""
    _, key = await shop.merchant_and_key()
    page = await look(shop, await shop.invoice(key))
    link = re.search(r'<link rel="stylesheet" href="([^"]+)">', page.text)
    assert link is not None
    css = await shop.call("GET", link.group(1))
    assert css.status_code == 200
    assert css.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in css.headers["cache-control"]
    assert "prefers-color-scheme: dark" in css.text
    assert "url(" not in css.text


async def test_a_merchants_text_is_only_text(shop: Shop) -> None:
    """Name, order and description are hostile here, and so are the links back."""
    merchant, key = await shop.merchant_and_key()
    await shop.run("UPDATE merchant SET name = :name WHERE id = :id", name=HOSTILE, id=merchant)
    invoice = await shop.invoice(
        key,
        order_id=HOSTILE,
        description=HOSTILE,
        cancel_url='https://shop.example/"><script>alert(3)</script>',
    )
    page = await look(shop, invoice)
    assert page.text.count("<script") == 1
    assert "<img" not in page.text
    assert "\u202e" not in page.text
    assert "\u0007" not in page.text
    assert page.text.count("&lt;script&gt;alert(1)") >= 3
    assert 'href="https://shop.example/&quot;&gt;&lt;script' in page.text


async def test_choosing_assigns_an_address_and_shows_it(shop: Shop) -> None:
    """A form, a redirect, the page; no address before that, and one per network."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, amount="10.00")
    page = await look(shop, invoice)
    assert "How do you want to pay?" in words(page)
    assert "<svg" not in page.text
    buttons = re.findall(r'<button name="payment_method" value="([^"]+)"', page.text)
    assert buttons == [o["payment_method"] for o in invoice["payment_options"]]
    for method in ("ETH-ETHEREUM", "SOL-SOLANA"):
        path = f"/i/{invoice['id']}/choose"
        answer = await shop.call("POST", path, data={"payment_method": method})
        assert answer.status_code == 303
        shown = await shop.call("GET", answer.headers["location"])
        amount = {"ETH-ETHEREUM": "0.004 ETH", "SOL-SOLANA": "0.05 SOL"}[method]
        assert amount in words(shown)
    options = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    assigned = {
        o["payment_method"] for o in options["payment_options"] if o["address"] is not None
    }
    assert assigned == {"ETH-ETHEREUM", "SOL-SOLANA"}
    back = await look(shop, invoice, method="ETH-ETHEREUM")
    assert f'href="{_uri(options)}"' in back.text


def _uri(invoice: dict[str, Any]) -> str:
    [found] = [
        o["payment_uri"]
        for o in invoice["payment_options"]
        if o["payment_method"] == "ETH-ETHEREUM"
    ]
    return str(found).replace("&", "&amp;")


async def test_a_refused_choice_is_told_on_the_page(shop: Shop) -> None:
    """The other ways to pay are still there."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    path = f"/i/{invoice['id']}/choose"
    await shop.run("DELETE FROM free_address WHERE network_id = 'tron'")
    empty = await shop.call("POST", path, data={"payment_method": "USDT-TRON"})
    assert empty.status_code == 503
    assert "not available at the moment" in words(empty)
    assert "ETH on Ethereum (local)" in words(empty)
    for form in ({"payment_method": "<b>X</b>"}, {}):
        unknown = await shop.call("POST", path, data=form)
        assert unknown.status_code == 404
        assert "cannot be paid in this way" in words(unknown)
        assert "<b>X" not in unknown.text
    await shop.call("POST", f"/v1/invoices/{invoice['id']}/cancel", key)
    over = await shop.call("POST", path, data={"payment_method": "ETH-ETHEREUM"})
    assert over.status_code == 409
    assert heading(over) == "Canceled"


async def test_partial_then_seen_then_paid(shop: Shop) -> None:
    """The page asks for the rest only, then for nothing; at the end it leads back."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(
        key, payment_methods=["USDT-TRON"], success_url="https://shop.example/ok?a=1&b=2"
    )
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, "USDT-TRON", 20_000_000, tx="aa" * 32)
    page = await look(shop, invoice)
    assert heading(page) == "A part of it has arrived"
    assert "29.90 USDT" in words(page)
    assert "1 of 19 confirmations" in words(page)
    assert "aa" * 32 in page.text
    await shop.pay(address, "USDT-TRON", 29_900_000, tx="bb" * 32)
    page = await look(shop, invoice)
    assert heading(page) == "Payment seen"
    assert address not in page.text
    assert "refresh" in page.text
    await shop.pay(address, "USDT-TRON", 29_900_000, tx="bb" * 32, final=True)
    page = await look(shop, invoice)
    assert heading(page) == "Paid"
    assert words(page).count(" final ") == 2
    assert 'href="https://shop.example/ok?a=1&amp;b=2"' in page.text
    assert re.search(r"Back to .+ · Receipt", words(page))
    assert "refresh" not in page.text


async def test_too_much_and_too_late(shop: Shop) -> None:
    """Both are accepted, and both are explained."""
    _, key = await shop.merchant_and_key()
    over = await shop.invoice(key, payment_methods=["USDT-TRON"])
    await shop.pay(
        over["payment_options"][0]["address"], "USDT-TRON", 60_000_000, tx="cc", final=True
    )
    page = await look(shop, over)
    assert heading(page) == "Paid, and more than was asked"
    assert "10.10 USD more" in words(page)
    late = await shop.invoice(key, payment_methods=["USDT-TRON"], expires_in_minutes=1)
    shop.clock.at += timedelta(minutes=2)
    assert heading(await look(shop, late)) == "The time to pay is over"
    await shop.pay(
        late["payment_options"][0]["address"], "USDT-TRON", 49_900_000, tx="dd", final=True
    )
    page = await look(shop, late)
    assert heading(page) == "Paid"
    assert "came after the time limit" in words(page)


async def test_after_the_expiry_no_address_is_shown(shop: Shop) -> None:
    """Not even before the worker has moved the invoice; nothing more is to be sent."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(
        key, payment_methods=["USDT-TRON"], cancel_url="https://b.example/"
    )
    shop.clock.at += timedelta(minutes=61)
    page = await look(shop, invoice)
    assert "Do not send anything any more" in words(page)
    assert invoice["payment_options"][0]["address"] not in page.text
    assert 'href="https://b.example/"' in page.text
    assert f"Invoice {invoice['id']}" in words(page)  # who asks the shop has to name it


async def test_who_may_pay_any_amount_is_promised_no_price(shop: Shop) -> None:
    """What comes counts at the price of its receipt."""
    _, key = await shop.merchant_and_key()
    page = await look(shop, await shop.invoice(key, amount=None))
    assert "Choose how you want to pay" in words(page)
    assert "price holds" not in words(page)


async def test_an_altered_address_is_never_shown_to_a_payer(shop: Shop) -> None:
    """Neither page nor choice carries it; who looked is on record as the checkout."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, activate=["ETH-ETHEREUM"])
    await shop.run(
        "UPDATE payment_option SET address = :thief WHERE address IS NOT NULL",
        thief="0x" + "66" * 20,
    )
    choose = f"/i/{invoice['id']}/choose"
    pages = [
        await look(shop, invoice),
        await shop.call("POST", choose, data={"payment_method": "USDC-ETHEREUM"}),
    ]
    for page in pages:
        assert page.status_code == 503
        assert "66666666" not in page.text
        assert heading(page) == "This page cannot be shown now"
    rows = await shop.rows(
        "SELECT actor, subject FROM audit_log WHERE action = 'address.unverified'"
    )
    assert [(row.actor, row.subject) for row in rows] == [("checkout", invoice["id"])] * 2


async def test_an_unknown_invoice_is_a_page_too(shop: Shop) -> None:
    """A person reads it, so it is not JSON; the form's address has no page of its own."""
    for path in ("/i/inv_nope", "/i/%3Cscript%3E", "/i/" + "x" * 500):
        page = await shop.call("GET", path)
        assert page.status_code == 404
        assert heading(page) == "There is no such invoice"
        assert words(page).endswith("Please check the link, or ask the shop for it.")
        assert "<script" not in page.text
    page = await shop.call("POST", "/i/inv_nope/choose", data={"payment_method": "X"})
    assert page.status_code == 404


async def test_the_state_for_programs(shop: Shop) -> None:
    """Small JSON with an ETag: unchanged is 304, a payment changes it."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"], metadata={"a": "secret"})
    path = f"/i/{invoice['id']}/status"
    first = await shop.call("GET", path)
    assert first.json()["state"] == "waiting"
    assert "secret" not in first.text
    assert invoice["payment_options"][0]["address"] not in first.text
    same = await shop.call("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    await shop.pay(invoice["payment_options"][0]["address"], "USDT-TRON", 49_900_000)
    other = await shop.call("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert (other.status_code, other.json()["state"]) == (200, "seen")
    assert other.json()["amounts_due"] == {"USDT-TRON": "0.000000"}
    absent = await shop.call("GET", "/i/inv_nope/status")
    assert (absent.status_code, absent.json()["code"]) == (404, "not_found")


async def test_new_rates_change_the_state_for_programs(shop: Shop) -> None:
    """An open page has to show the new amount: neither status nor payments have moved."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, amount="100.00", payment_methods=["SOL-SOLANA"])
    path = f"/i/{invoice['id']}/status"
    first = await shop.call("GET", path)
    await shop.prices({**PRICES, "SOL": Decimal(400)})
    await shop.call("POST", f"/v1/invoices/{invoice['id']}/refresh_rate", key)
    other = await shop.call("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert first.json()["amounts_due"] == {"SOL-SOLANA": "0.500000000"}
    assert other.json() == {**first.json(), "amounts_due": {"SOL-SOLANA": "0.250000000"}}


async def test_a_live_invoice_has_no_ribbon(shop: Shop) -> None:
    """And a test invoice says what it is."""
    merchant, key = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    assert "Test mode" in words(await look(shop, await shop.invoice(key)))
    assert "Test mode" not in words(await look(shop, await shop.invoice(live)))
