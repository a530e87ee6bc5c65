"""What a program is told of an invoice by whoever knows its id."""

from datetime import datetime

import msgspec

from gateway.checkout.words import State, state_of
from gateway.invoices.documents import InvoiceDocument
from gateway.invoices.offers import TOO_SMALL


class StatusDocument(msgspec.Struct, kw_only=True):
    """Where an invoice stands; `state` is what the page tells the payer."""

    id: str
    object: str
    state: State
    status: str
    exception: str
    final: bool
    amount: str | None
    currency: str
    amount_paid: str
    amount_due: str | None
    amounts_due: dict[str, str | None]
    """By payment method, in its coin; None: any amount. New rates move nothing else.

    A method in which what is left cannot be paid is not among them.
    """
    expires_at: datetime


def status_document(invoice: InvoiceDocument, now: datetime) -> StatusDocument:
    """Shape where an invoice stands."""
    return StatusDocument(
        id=invoice.id,
        object="invoice_status",
        state=state_of(invoice, now),
        status=invoice.status,
        exception=invoice.exception,
        final=invoice.final,
        amount=invoice.amount,
        currency=invoice.currency,
        amount_paid=invoice.amount_paid,
        amount_due=invoice.amount_due,
        amounts_due={
            o.payment_method: o.amount_due
            for o in invoice.payment_options
            if o.reason != TOO_SMALL
        },
        expires_at=invoice.expires_at,
    )
