"""A merchant's own look on the page of an invoice."""

import itertools
from typing import Any

import pytest
import segno

from gateway.checkout.branding import (
    CONTRAST,
    DARK_CARD,
    LIGHT_CARD,
    Color,
    color_sheet,
    contrast,
)
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


def qr(text: str) -> str:
    """Return the drawing that stands on the page."""
    return segno.make(text, error="m", micro=False).svg_inline(
        border=3, dark="#000", light="#fff", omitsize=True
    )


async def test_name_logo_colour_and_where_to_ask(shop: Shop) -> None:
    """The policy opens for the logo's host and for nothing else."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    path = f"/i/{invoice['id']}"
    plain = await shop.call("GET", path)
    assert "Questions?" not in plain.text
    assert "<img" not in plain.text
    assert "img-src 'self' data:;" in plain.headers["content-security-policy"]
    brand = {
        "display_name": "<b>Café</b>\u202e",
        "primary_color": "#ffd400",
        "logo_url": "https://shop.example:8443/a/logo.png",
    }
    changed = await shop.call(
        "PATCH", "/v1/settings", await shop.live_key(key), json={"branding": brand}
    )
    assert changed.status_code == 200
    email = {"support_email": 'a"?cc=b@shop.example'}
    await shop.call("PATCH", "/v1/merchant", await shop.live_key(key), json=email)
    page = await shop.call("GET", path)
    policy = page.headers["content-security-policy"]
    assert "img-src 'self' data: https://shop.example:8443;" in policy
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert '<img src="https://shop.example:8443/a/logo.png"' in page.text
    assert "&lt;b&gt;Café&lt;/b&gt;</bdi>" in page.text
    assert 'href="mailto:a%22%3Fcc%3Db@shop.example"' in page.text
    sheet = await shop.call("GET", "/i/color/ffd400.css")
    assert '<link rel="stylesheet" href="/i/color/ffd400.css">' in page.text
    assert sheet.headers["content-type"].startswith("text/css")
    assert "immutable" in sheet.headers["cache-control"]
    assert "--accent:#ffd400" in sheet.text
    for name in ("red.css", "ffd400", "FFD400.css", "ffd400.css.css", "}body{.css"):
        assert (await shop.call("GET", f"/i/color/{name}")).status_code == 404
    link = {"support_url": "https://shop.example/help"}
    await shop.call("PATCH", "/v1/merchant", await shop.live_key(key), json=link)
    assert 'href="https://shop.example/help"' in (await shop.call("GET", path)).text


async def test_what_a_code_for_tron_says(shop: Shop) -> None:
    """The merchant's choice, on Tron alone."""
    _, key = await shop.merchant_and_key()
    invoices = [
        await shop.invoice(key, payment_methods=[each])
        for each in ("USDT-TRON", "ETH-ETHEREUM")
    ]
    for mode in ("address", "uri", "uri_amount"):
        await shop.call(
            "PATCH",
            "/v1/settings",
            await shop.live_key(key),
            json={"branding": {"tron_qr": mode}},
        )
        for invoice in invoices:
            option: dict[str, Any] = invoice["payment_options"][0]
            page = await shop.call("GET", f"/i/{invoice['id']}")
            uri = f"tron:{option['address']}"
            wanted = {
                "address": option["address"],
                "uri": uri,
                "uri_amount": f"{uri}?amount={option['amount_due']}",
            }
            on_tron = option["network"] == "tron"
            assert qr(wanted[mode] if on_tron else option["qr_text"]) in page.text


def test_a_colour_can_always_be_read() -> None:
    """Whatever the merchant likes: as text it stands out from the card, by day and by night."""
    assert round(contrast((0, 0, 0), (255, 255, 255))) == 21
    for color in itertools.product((0, 64, 128, 192, 255), repeat=3):
        sheet = color_sheet(f"{bytes(color).hex()}.css")
        assert sheet is not None
        light, dark = (_color(part[:6]) for part in sheet.split("--accent:#")[1:])
        assert contrast(light, LIGHT_CARD) >= CONTRAST
        assert contrast(dark, DARK_CARD) >= CONTRAST
    kept = color_sheet("1d4ed8.css")
    assert kept is not None
    assert kept.startswith(":root{--accent:#1d4ed8}")


def _color(text: str) -> Color:
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
