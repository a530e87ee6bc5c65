"""Payment requests, how each may be paid, and how each came to its state."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import SerialKey, Table, TextKey, UnitsColumn


class Invoice(Table):
    """What a merchant asks for; `amount` is in `currency`, a fiat or coin code."""

    __tablename__ = "invoice"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    order_id: Mapped[str | None]
    description: Mapped[str | None]
    # `metadata` is taken by SQLAlchemy's declarative root.
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    amount: Mapped[Decimal]
    currency: Mapped[str]
    tolerance_basis_points: Mapped[int]
    confirmations: Mapped[int | None]
    status: Mapped[str]
    exception: Mapped[str]
    final: Mapped[bool]
    success_url: Mapped[str | None]
    cancel_url: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    monitoring_until: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]


class PaymentOption(Table):
    """One payment method of one invoice: amount due at the locked rate, and its address."""

    __tablename__ = "payment_option"
    invoice_id: Mapped[TextKey]
    currency_id: Mapped[TextKey]
    merchant_id: Mapped[str]
    network_id: Mapped[str]
    amount_units: Mapped[UnitsColumn]
    rate: Mapped[Decimal]
    rate_source: Mapped[str]
    rate_at: Mapped[datetime]
    address: Mapped[str | None]
    address_index: Mapped[int | None]
    address_path: Mapped[str | None]
    address_signature: Mapped[bytes | None]
    activated_at: Mapped[datetime | None]


class InvoiceTimeline(Table):
    """One step of an invoice, with the reason in words."""

    __tablename__ = "invoice_timeline"
    id: Mapped[SerialKey]
    invoice_id: Mapped[str]
    merchant_id: Mapped[str]
    status: Mapped[str]
    exception: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
