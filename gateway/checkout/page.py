"""The page of an invoice, from what is known of it. Pure: same checkout, same bytes.

While something is going to happen the page follows its invoice and stays where it is.
"""

from collections.abc import Sequence

from gateway.checkout.branding import Brand, color_link, logo, support
from gateway.checkout.following import Following
from gateway.checkout.frame import frame
from gateway.checkout.html import Child, Html, tag
from gateway.checkout.paying import payable, sum_of, way_to_pay
from gateway.checkout.service import Checkout, Sighting
from gateway.checkout.words import (
    MOVING,
    OPEN,
    TITLES,
    State,
    clean,
    counted,
    current_option,
    explanation,
    state_of,
    trimmed,
)
from gateway.invoices.documents import InvoiceDocument

DONE: frozenset[State] = frozenset({"seen", "paid", "over", "late"})
"""The payer has done his part."""


def checkout_page(
    checkout: Checkout, *, css: str, wanted: str | None = None, notice: str | None = None
) -> Html:
    """Return the whole page; `wanted` is the method to show, `notice` a line above it."""
    invoice = checkout.invoice
    merchant = clean(checkout.merchant)
    state = state_of(invoice, checkout.now)
    option = current_option(payable(invoice), wanted)
    here = f"/i/{invoice.id}" + (f"?method={option.payment_method}" if option else "")
    following = Following(here, f"/i/{invoice.id}/status") if follows(checkout) else None
    return frame(
        f"{TITLES[state]} - {merchant}",
        (
            None if invoice.livemode else tag("p", "Test mode: no real money", class_="ribbon"),
            _header(invoice, merchant, checkout.brand),
            tag("p", notice, class_="notice", role="alert") if notice else None,
            _status(state, invoice, merchant, chosen=option is not None),
            way_to_pay(checkout, option) if state in OPEN else _closed(invoice),
            _payments(checkout.payments),
            _links(state, invoice, merchant),
            support(checkout.brand),
        ),
        css=css,
        color=color_link(checkout.brand),
        following=following,
    )


def follows(checkout: Checkout) -> bool:
    """Tell whether the page brings itself up to date: something is going to happen soon."""
    return state_of(checkout.invoice, checkout.now) in MOVING


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


def _closed(invoice: InvoiceDocument) -> Child:
    """Return what it was about: who asks the shop has to name it."""
    number = tag("span", invoice.id, class_="long")
    return sum_of(invoice), tag("dl", tag("dt", "Invoice"), tag("dd", number))


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
    count, required = payment.confirmations, payment.required
    if payment.final:
        progress = "final"
    elif count is None:
        progress = "being confirmed"
    elif required is not None and count < required:
        progress = f"{count} of {counted(required, 'confirmation')}"
    else:
        progress = counted(count, "confirmation")
    return tag(
        "li",
        tag("span", f"{trimmed(payment.amount)} {payment.method}", class_="name"),
        tag("span", progress, class_="progress", data_counting=None if payment.final else ""),
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
    return tag("p", [link for each in links for link in (each, " · ")][:-1], class_="center")
