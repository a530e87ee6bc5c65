"""What the world sees of an invoice: the same document in answers and in webhooks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from gateway.domain.addresses import display
from gateway.domain.money import plain, to_text
from gateway.domain.tax import tax_in
from gateway.invoices.deposit_documents import DepositDocument, deposit_document
from gateway.invoices.option_documents import (
    STANDING,
    Option,
    PaymentOptionDocument,
    option_document,
)
from gateway.invoices.paid import amount_decimals, paid_of
from gateway.models import (
    Currency,
    Deposit,
    Invoice,
    InvoiceTimeline,
    PaymentOptionRate,
    ReceiptRate,
    Withdrawal,
)

__all__ = [
    "STANDING",
    "History",
    "InvoiceDocument",
    "Option",
    "PaymentOptionDocument",
    "RefundDocument",
    "amount_decimals",
    "invoice_document",
]


class TimelineDocument(msgspec.Struct, kw_only=True, gc=False):
    """One step of the invoice and why it was taken."""

    status: str
    exception: str
    reason: str
    at: datetime


class RefundDocument(msgspec.Struct, kw_only=True):
    """A withdrawal that pays some of it back; `status` is the withdrawal's."""

    withdrawal_id: str
    kind: str
    payment_method: str
    amount: str
    destination: str
    status: str
    created_at: datetime


class TaxDocument(msgspec.Struct, kw_only=True):
    """The tax that the invoice's amount contains; null as long as the amount is open."""

    label: str
    rate_percent: str
    amount: str | None


class InvoiceDocument(msgspec.Struct, kw_only=True, gc=False):
    """An invoice; money fields are decimal strings in `currency` at the locked rates.

    An invoice without an `amount` takes whatever comes; it is counted at the price of its receipt.
    `deposits` is there where it was asked for, newest first.
    """

    id: str
    object: str
    livemode: bool
    merchant_id: str
    order_id: str | None
    customer_id: str | None
    description: str | None
    metadata: dict[str, Any]
    amount: str | None
    currency: str
    tax: TaxDocument | None
    status: str
    exception: str
    final: bool
    amount_paid: str
    amount_due: str | None
    amount_overpaid: str
    payment_tolerance_percent: str
    confirmations: int | None
    confirmation_policy: str
    payment_options: list[PaymentOptionDocument]
    created_at: datetime
    expires_at: datetime
    monitoring_until: datetime
    paid_at: datetime | None
    settled_at: datetime | None
    checkout_url: str
    success_url: str | None
    cancel_url: str | None
    timeline: list[TimelineDocument]
    refunds: list[RefundDocument]
    deposits: list[DepositDocument] | UnsetType = UNSET


class History(NamedTuple):
    """What happened to one invoice: its rows, newest deposits and oldest steps first.

    `expanded` holds the currencies of the deposits where these are to be shown, `heads` the newest
    scanned heights of their networks.
    """

    deposits: Sequence[Deposit]
    timeline: Sequence[InvoiceTimeline]
    refunds: Sequence[tuple[Withdrawal, Currency]]
    rates: Sequence[PaymentOptionRate]
    receipts: Sequence[ReceiptRate]
    expanded: Mapping[str, Currency] | None = None
    heads: Mapping[str, int] = {}


def invoice_document(
    invoice: Invoice, options: Sequence[Option], history: History, *, public_url: str
) -> InvoiceDocument:
    """Shape one invoice from its rows."""
    standing = [d for d in history.deposits if d.status in STANDING]
    paid = paid_of(invoice, options, standing, history.receipts, history.rates)
    return InvoiceDocument(
        id=invoice.id,
        object="invoice",
        livemode=invoice.livemode,
        merchant_id=invoice.merchant_id,
        order_id=invoice.order_id,
        customer_id=invoice.customer_id,
        description=invoice.description,
        metadata=invoice.metadata_,
        amount=paid.amount,
        currency=invoice.currency,
        tax=_tax_document(invoice, paid.decimals),
        status=invoice.status,
        exception=invoice.exception,
        final=invoice.final,
        amount_paid=paid.paid,
        amount_due=paid.due,
        amount_overpaid=paid.over,
        payment_tolerance_percent=_percent(invoice.tolerance_basis_points),
        confirmations=invoice.confirmations,
        confirmation_policy=invoice.confirmation_policy,
        payment_options=[
            option_document(
                option, standing, paid.remainder, history.rates, invoice.confirmations
            )
            for option in options
        ],
        created_at=invoice.created_at,
        expires_at=invoice.expires_at,
        monitoring_until=invoice.monitoring_until,
        paid_at=invoice.paid_at,
        settled_at=invoice.settled_at,
        checkout_url=f"{public_url}/i/{invoice.id}",
        success_url=invoice.success_url,
        cancel_url=invoice.cancel_url,
        timeline=[
            TimelineDocument(
                status=step.status, exception=step.exception, reason=step.reason, at=step.at
            )
            for step in history.timeline
        ],
        refunds=[_refund_document(row, currency) for row, currency in history.refunds],
        deposits=UNSET
        if history.expanded is None
        else [
            deposit_document(d, history.expanded[d.currency_id], history.heads)
            for d in history.deposits
        ],
    )


@lru_cache(maxsize=1024)
def _percent(basis_points: int) -> str:
    return plain(Decimal(basis_points) / 100)


def _tax_document(invoice: Invoice, decimals: int) -> TaxDocument | None:
    if invoice.tax_rate is None or invoice.tax_label is None:
        return None
    amount = (
        None if invoice.amount is None else tax_in(invoice.amount, invoice.tax_rate, decimals)
    )
    return TaxDocument(
        label=invoice.tax_label,
        rate_percent=plain(invoice.tax_rate),
        amount=None if amount is None else f"{amount:f}",
    )


def _refund_document(row: Withdrawal, currency: Currency) -> RefundDocument:
    return RefundDocument(
        withdrawal_id=row.id,
        kind=row.refund_kind or "",
        payment_method=currency.id,
        amount=to_text(row.units, currency.decimals),
        destination=display(row.destination),
        status=row.status,
        created_at=row.created_at,
    )
