"""How a merchant's pages look: its name, logo, colour, where to ask, and what a QR code says. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gateway.checkout.html import Html, tag
from gateway.invoices.documents import PaymentOptionDocument
from gateway.models import Merchant, MerchantSettings

COLOR_PATH = "/i/color"
LIGHT_CARD, DARK_CARD = (255, 255, 255), (26, 29, 35)
"""What `--card` is in the style sheet, in the light and in the dark."""
CONTRAST = 4.5
"""Least contrast of text (WCAG 2.2, 1.4.3)."""
_NAME = re.compile(r"([0-9a-f]{6})\.css")
_STEPS = 20

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Brand:
    """A merchant as payers see it; `color` is six hexadecimal digits."""

    name: str
    color: str | None = None
    logo_url: str | None = None
    support_email: str | None = None
    support_url: str | None = None
    tron_qr: str = "address"


def brand_of(merchant: Merchant, settings: MerchantSettings | None) -> Brand:
    """Return the merchant's own look, or the house's with the merchant's name."""
    if settings is None:
        return Brand(
            merchant.name,
            support_email=merchant.support_email,
            support_url=merchant.support_url,
        )
    color = settings.primary_color
    return Brand(
        settings.display_name or merchant.name,
        None if color is None else color.removeprefix("#"),
        settings.logo_url,
        merchant.support_email,
        merchant.support_url,
        settings.tron_qr,
    )


def logo(brand: Brand) -> Html | None:
    """Return the logo; the name stands beside it, so it says nothing more."""
    if brand.logo_url is None:
        return None
    return tag("img", src=brand.logo_url, alt="", class_="logo", referrerpolicy="no-referrer")


def support(brand: Brand) -> Html | None:
    """Return where a payer may ask."""
    if brand.support_url is not None:
        where = tag("a", "Ask for help", href=brand.support_url, rel="noreferrer")
    elif brand.support_email is not None:
        address = brand.support_email
        where = tag("a", address, href=f"mailto:{quote(address, safe='@+')}")
    else:
        return None
    return tag("p", "Questions? ", where, class_="support")


def image_sources(brand: Brand) -> str:
    """Return what else the content policy lets pictures come from: the logo's host."""
    if brand.logo_url is None:
        return ""
    parts = urlsplit(brand.logo_url)
    return f" {parts.scheme}://{parts.netloc}"


def qr_text_of(option: PaymentOptionDocument, tron_qr: str) -> str | None:
    """Return what the code carries; `tron_qr` speaks where a network has no standard request.

    Only such an option has an address and no `payment_uri`: Tron's. Few of its wallets read more
    than the bare address.
    """
    if option.payment_uri is not None or option.address is None or tron_qr == "address":
        return option.qr_text
    request = f"tron:{option.address}"
    if tron_qr == "uri" or option.amount_due is None:
        return request
    return f"{request}?amount={option.amount_due}"


def color_link(brand: Brand) -> str | None:
    """Return the address of the style sheet with the merchant's colour."""
    return None if brand.color is None else f"{COLOR_PATH}/{brand.color}.css"


def color_sheet(name: str) -> str | None:
    """Return the style sheet of `1d4ed8.css`, None for any other name.

    The colour is darkened, or lightened in the dark, until it can be read as text.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    red, green, blue = bytes.fromhex(found.group(1))
    light = _readable((red, green, blue), LIGHT_CARD, (0, 0, 0))
    dark = _readable((red, green, blue), DARK_CARD, (255, 255, 255))
    return (
        f":root{{--accent:#{bytes(light).hex()}}}"
        f"@media (prefers-color-scheme: dark){{:root{{--accent:#{bytes(dark).hex()}}}}}"
    )


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of two sRGB colours, 1 to 21 (WCAG 2.2)."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _readable(color: Color, card: Color, towards: Color) -> Color:
    """Return the nearest mixture with black or white that stands out from the card."""
    for step in range(_STEPS):
        red, green, blue = (
            (part * (_STEPS - step) + end * step) // _STEPS
            for part, end in zip(color, towards, strict=True)
        )
        if contrast((red, green, blue), card) >= CONTRAST:
            return red, green, blue
    return towards


def _luminance(color: Color) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
