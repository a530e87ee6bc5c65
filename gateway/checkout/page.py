"""The page of an invoice, from what is known of it. Pure: same checkout, same bytes.

No script and no style of its own stands in it, so the strictest content policy fits; while
something is going to happen the page asks for itself again every five seconds.
"""

from collections.abc import Sequence

import segno

from gateway.checkout.branding import Brand, color_link, logo, qr_text_of, support
from gateway.checkout.html import Child, Html, document, tag
from gateway.checkout.service import Checkout, Sighting
from gateway.checkout.words import (
    MOVING,
    OPEN,
    TITLES,
    State,
    clean,
    clock,
    counted,
    current_option,
    duration,
    explanation,
    method_name,
    state_of,
    trimmed,
)
from gateway.invoices.documents import InvoiceDocument, PaymentOptionDocument

DONE: frozenset[State] = frozenset({"seen", "paid", "over", "late"})
"""The payer has done his part."""
REFRESH_SECONDS = 5
ANY = "Any amount of"
"""Stands where an amount would: the payer says how much."""
EMPHASISED = 6
"""Letters at either end of an address that a careful payer compares."""


def checkout_page(
    checkout: Checkout, *, css: str, wanted: str | None = None, notice: str | None = None
) -> Html:
    """Return the whole page; `wanted` is the method to show, `notice` a line above it."""
    invoice = checkout.invoice
    merchant = clean(checkout.merchant)
    state = state_of(invoice, checkout.now)
    option = current_option(invoice.payment_options, wanted)
    here = f"/i/{invoice.id}" + (f"?method={option.payment_method}" if option else "")
    refresh = f"{REFRESH_SECONDS}; url={here}" if state in MOVING else None
    return frame(
        f"{TITLES[state]} - {merchant}",
        (
            None if invoice.livemode else tag("p", "Test mode: no real money", class_="ribbon"),
            _header(invoice, merchant, checkout.brand),
            tag("p", notice, class_="notice", role="alert") if notice else None,
            _status(state, invoice, merchant, chosen=option is not None),
            _way_to_pay(checkout, option) if state in OPEN else _sum(invoice),
            _payments(checkout.payments),
            _links(state, invoice, merchant),
            support(checkout.brand),
        ),
        css=css,
        refresh=refresh,
        color=color_link(checkout.brand),
    )


def problem_page(title: str, detail: str, *, css: str) -> Html:
    """Return a page that says why there is nothing to show."""
    body = tag("section", tag("h1", title), tag("p", detail), class_="status invalid")
    return frame(title, body, css=css, refresh=None)


def frame(
    title: str, body: Child, *, css: str, refresh: str | None, color: str | None = None
) -> Html:
    """Put a body into the page's frame; `color` is the sheet of the merchant's own colour."""
    return document(
        head=(
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="robots", content="noindex, nofollow"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", http_equiv="refresh", content=refresh) if refresh else None,
            tag("title", title),
            tag("link", rel="icon", href="data:,"),
            tag("link", rel="stylesheet", href=css),
            tag("link", rel="stylesheet", href=color) if color else None,
        ),
        body=tag("main", body),
    )


def _header(invoice: InvoiceDocument, merchant: str, brand: Brand) -> Html:
    about = clean(invoice.description or "")
    order = clean(invoice.order_id or "")
    return tag(
        "header",
        logo(brand),
        tag("p", tag("bdi", merchant), class_="merchant"),
        tag("p", tag("bdi", about), class_="about") if about else None,
        tag("p", "Order ", tag("bdi", order), class_="about") if order else None,
    )


def _status(state: State, invoice: InvoiceDocument, merchant: str, *, chosen: bool) -> Html:
    return tag(
        "section",
        tag("h1", TITLES[state]),
        tag("p", tag("bdi", explanation(state, invoice, merchant, chosen=chosen))),
        class_=f"status {state}",
        role="status",
        aria_live="polite",
    )


def _sum(invoice: InvoiceDocument) -> Html:
    return tag(
        "section",
        _amount(invoice.amount or ANY, invoice.currency),
        class_="sum",
        aria_label="Amount of the invoice",
    )


def _amount(number: str, unit: str) -> Html:
    return tag(
        "p",
        tag("span", number, class_="number"),
        " ",
        tag("span", unit, class_="unit"),
        class_="amount",
    )


def _way_to_pay(checkout: Checkout, option: PaymentOptionDocument | None) -> Child:
    others = [each for each in checkout.invoice.payment_options if each is not option]
    if option is None:
        return (
            _sum(checkout.invoice),
            _choice("How do you want to pay?", checkout.invoice, others),
            _facts(checkout, option),
        )
    return (
        tag(
            "section",
            _amount(trimmed(option.amount_due or ANY), option.currency),
            tag("p", "on ", tag("strong", option.network_name), class_="network"),
            _equals(checkout.invoice),
            _qr(qr_text_of(option, checkout.brand.tron_qr)),
            _address(option),
            _open_wallet(option),
            tag(
                "p",
                f"Send only {method_name(option)}. Other coins, and other networks, "
                "cannot be credited.",
                class_="warning",
            ),
            _facts(checkout, option),
            class_="pay",
            aria_label="What to pay, and where",
        ),
        _choice("Pay in another way", checkout.invoice, others) if others else None,
    )


def _equals(invoice: InvoiceDocument) -> Html:
    if invoice.amount_due is None:
        return tag(
            "p", f"Whatever you send counts at its price in {invoice.currency}", class_="equals"
        )
    return tag("p", f"for {invoice.amount_due} {invoice.currency}", class_="equals")


def _qr(text: str | None) -> Html | None:
    if text is None:
        return None
    code = segno.make(text, error="m", micro=False)
    drawing = code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True)
    return tag(
        "div", Html(drawing), class_="qr", role="img", aria_label="QR code for your wallet"
    )


def _address(option: PaymentOptionDocument) -> Html:
    """Return the address in one selectable piece; a break between its letters copies nothing."""
    address = option.address or ""
    edges = (address[:EMPHASISED], address[EMPHASISED:-EMPHASISED], address[-EMPHASISED:])
    first, middle, last = edges
    return tag(
        "div",
        tag("p", "Address", class_="label"),
        tag("p", tag("b", first), middle, tag("b", last), class_="address"),
    )


def _open_wallet(option: PaymentOptionDocument) -> Html | None:
    if option.payment_uri is None:
        return None
    return tag(
        "p",
        tag("a", "Open in wallet", href=option.payment_uri, class_="button"),
        class_="center",
    )


def _facts(checkout: Checkout, option: PaymentOptionDocument | None) -> Html:
    invoice, now = checkout.invoice, checkout.now
    facts: list[tuple[str, Child]] = [
        (
            "Pay before",
            f"{clock(invoice.expires_at, now)}, in {duration(invoice.expires_at - now)}",
        ),
    ]
    if option is not None and option.currency != invoice.currency:
        rate = f"1 {option.currency} = {option.rate} {invoice.currency}, held until then"
        facts.append(("Rate", rate))
    if option is not None and option.contract_address is not None:
        facts.append(
            (f"{option.currency} contract", tag("span", option.contract_address, class_="long"))
        )
    facts.append(("Invoice", tag("span", invoice.id, class_="long")))
    return tag("dl", ((tag("dt", name), tag("dd", value)) for name, value in facts))


def _choice(title: str, invoice: InvoiceDocument, options: list[PaymentOptionDocument]) -> Html:
    buttons = (
        tag(
            "button",
            tag("span", method_name(option), class_="name"),
            tag(
                "span", f"{trimmed(option.amount_due or ANY)} {option.currency}", class_="price"
            ),
            name="payment_method",
            value=option.payment_method,
            type="submit",
        )
        for option in options
    )
    form = tag("form", buttons, method="post", action=f"/i/{invoice.id}/choose")
    return tag("section", tag("h2", title), form, class_="choice")


def _payments(payments: Sequence[Sighting]) -> Html | None:
    if not payments:
        return None
    return tag(
        "section",
        tag("h2", "Payments"),
        tag("ul", (_payment(each) for each in payments)),
        class_="payments",
    )


def _payment(payment: Sighting) -> Html:
    count = payment.confirmations
    if payment.final:
        progress = "final"
    elif count is None:
        progress = "being confirmed"
    else:
        progress = counted(count, "confirmation")
    return tag(
        "li",
        tag("span", f"{trimmed(payment.amount)} {payment.method}", class_="name"),
        tag("span", progress, class_="progress"),
        tag("span", payment.tx_hash, class_="long"),
    )


def _links(state: State, invoice: InvoiceDocument, merchant: str) -> Html | None:
    back = invoice.success_url if state in DONE else invoice.cancel_url
    links: list[Child] = []
    if back is not None:
        links.append(tag("a", "Back to ", tag("bdi", merchant), href=back, rel="noreferrer"))
    if invoice.status == "settled":
        links.append(tag("a", "Receipt", href=f"/i/{invoice.id}/receipt"))
    if not links:
        return None
    return tag("p", [link for each in links for link in (each, " ")][:-1], class_="center")
