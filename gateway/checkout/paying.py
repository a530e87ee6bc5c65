"""What to pay, where, and in which other ways, on the page of an open invoice. Pure."""

import segno

from gateway.checkout.branding import qr_text_of
from gateway.checkout.html import Child, Html, tag
from gateway.checkout.service import Checkout
from gateway.checkout.words import clock, duration, method_name, trimmed
from gateway.invoices.documents import InvoiceDocument, PaymentOptionDocument

ANY = "Any amount of"
"""Stands where an amount would: the payer says how much."""
TOO_LITTLE = (
    "What is left is too little to be paid by itself. Please do not send it: ask the shop."
)
EMPHASISED = 6
"""Letters at either end of an address that a careful payer compares."""


def payable(invoice: InvoiceDocument) -> list[PaymentOptionDocument]:
    """Return the options in which what is left can be paid."""
    return [option for option in invoice.payment_options if option.available]


def sum_of(invoice: InvoiceDocument) -> Html:
    """Return the amount of the invoice."""
    return tag(
        "section",
        _amount(invoice.amount or ANY, invoice.currency),
        class_="sum",
        aria_label="Amount of the invoice",
    )


def _amount(number: str, unit: str, *, name: str | None = None) -> Html:
    return tag(
        "p",
        tag("span", number, class_="number", id=name),
        " ",
        tag("span", unit, class_="unit"),
        class_="amount",
    )


def way_to_pay(checkout: Checkout, option: PaymentOptionDocument | None) -> Child:
    """Return what to pay and where by `option`, and the other ways; without one, the choice."""
    others = [each for each in payable(checkout.invoice) if each is not option]
    if option is None:
        return (
            sum_of(checkout.invoice),
            _choice("How do you want to pay?", checkout.invoice, others)
            if others
            else tag("p", TOO_LITTLE, class_="warning"),
            _facts(checkout, option),
        )
    return (
        tag(
            "section",
            _amount(trimmed(option.amount_due or ANY), option.currency, name="amount"),
            tag("p", "on ", tag("strong", option.network_name), class_="network"),
            _equals(checkout.invoice),
            _copy("Amount") if option.amount_due else None,
            _qr(qr_text_of(option, checkout.brand.tron_qr)),
            _address(option),
            _wallets(option),
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
        tag("p", tag("b", first), middle, tag("b", last), class_="address", id="address"),
        _copy("Address"),
    )


def _copy(name: str) -> Html:
    """Return the button that copies what is shown; it is hidden where no script shows it."""
    return tag(
        "button",
        f"Copy {name.lower()}",
        type="button",
        class_="copy",
        hidden="",
        data_copies=name.lower(),
        data_name=name,
    )


def _wallets(option: PaymentOptionDocument) -> Html | None:
    """Return the links that open wallets.

    A request that the code does not carry begins with the token's contract: a wallet that read no
    further would send the money there, so it is no button either.
    """
    links: list[tuple[str, str]] = []
    if option.payment_uri is not None and option.qr_text == option.payment_uri:
        links.append(("Open in wallet", option.payment_uri))
    links += [
        (link.name, link.url) for link in option.wallet_links if link.url != option.payment_uri
    ]
    if not links:
        return None
    buttons = (
        tag("a", name, href=url, class_="button", rel="noreferrer") for name, url in links
    )
    return tag("p", buttons, class_="wallets")


def _facts(checkout: Checkout, option: PaymentOptionDocument | None) -> Html:
    invoice, now = checkout.invoice, checkout.now
    left = invoice.expires_at - now
    counted = tag("span", duration(left), data_seconds=str(int(left.total_seconds())))
    facts: list[tuple[str, Child]] = [
        ("Pay before", (f"{clock(invoice.expires_at, now)}, in ", counted)),
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
