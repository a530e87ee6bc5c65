"""The receipt of a settled invoice, to be printed. Pure: same checkout, same bytes."""

from gateway.checkout.frame import frame
from gateway.checkout.html import Child, Html, tag
from gateway.checkout.service import Checkout, Sighting
from gateway.checkout.words import clean, trimmed
from gateway.invoices.documents import InvoiceDocument, RefundDocument

_RETURNED = frozenset({"completed"})
_ID = "Invoice"
"""The line whose value may break anywhere."""


def receipt_page(checkout: Checkout, *, css: str) -> Html:
    """Return the whole page."""
    invoice, merchant = checkout.invoice, clean(checkout.merchant)
    returned = [each for each in invoice.refunds if each.status in _RETURNED]
    return frame(
        f"Receipt - {merchant}",
        (
            None if invoice.livemode else tag("p", "Test mode: no real money", class_="ribbon"),
            tag(
                "header",
                tag("p", tag("bdi", merchant), class_="merchant"),
                tag("h1", "Receipt"),
            ),
            tag("dl", (_fact(name, value) for name, value in _facts(invoice))),
            _section("Payments", [_payment(each) for each in checkout.payments]),
            _section("Paid back", [_refund(each) for each in returned]),
        ),
        css=css,
    )


def _facts(invoice: InvoiceDocument) -> list[tuple[str, str]]:
    """Return what stands on the receipt, line by line; what is not known has no line."""
    currency, tax = invoice.currency, invoice.tax
    included = None
    if tax is not None and tax.amount is not None:
        included = f"{tax.amount} {currency} ({clean(tax.label)} {tax.rate_percent} %)"
    asked = None if invoice.amount is None else f"{invoice.amount} {currency}"
    # A merchant may settle an invoice by hand: then the amount was paid somewhere else.
    by_hand = invoice.exception == "marked"
    lines = (
        ("For", clean(invoice.description or "")),
        ("Order", clean(invoice.order_id or "")),
        ("Amount", asked),
        ("Tax included", included),
        ("Paid", None if by_hand else f"{invoice.amount_paid} {currency}"),
        ("Settled", f"{invoice.settled_at:%Y-%m-%d %H:%M UTC}" if invoice.settled_at else None),
        (_ID, invoice.id),
    )
    return [(name, value) for name, value in lines if value]


def _fact(name: str, value: str) -> tuple[Child, Child]:
    return tag("dt", name), tag("dd", tag("bdi", value, class_="long" if name == _ID else None))


def _section(title: str, entries: list[Html]) -> Html | None:
    if not entries:
        return None
    return tag("section", tag("h2", title), tag("ul", entries), class_="payments")


def _payment(payment: Sighting) -> Html:
    return tag(
        "li",
        tag("span", f"{trimmed(payment.amount)} {payment.method}", class_="name"),
        tag("span", "final" if payment.final else "being confirmed", class_="progress"),
        tag("span", payment.tx_hash, class_="long"),
    )


def _refund(refund: RefundDocument) -> Html:
    return tag(
        "li",
        tag("span", f"{trimmed(refund.amount)} {refund.payment_method}", class_="name"),
        tag("span", refund.destination, class_="long"),
    )
