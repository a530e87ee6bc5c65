"""Payment requests, how each may be paid, and how each came to its state."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import FetchedValue, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import SerialKey, Table, TextKey, UnitsOrNone


class Invoice(Table):
    """What a merchant asks for; `amount` is in `currency`, a fiat or coin code.

    Without an amount it takes whatever comes. `tax_rate` is a percentage that the amount contains.
    """

    __tablename__ = "invoice"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    order_id: Mapped[str | None]
    description: Mapped[str | None]
    # `metadata` is taken by SQLAlchemy's declarative root.
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    amount: Mapped[Decimal | None]
    currency: Mapped[str]
    tolerance_basis_points: Mapped[int]
    confirmations: Mapped[int | None]
    confirmation_policy: Mapped[str] = mapped_column(server_default=FetchedValue())
    customer_id: Mapped[str | None]
    tax_rate: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    tax_label: Mapped[str | None]
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
    amount_units: Mapped[UnitsOrNone]
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


class PaymentOptionRate(Table):
    """What an option cost until its rate was locked anew; written by a trigger."""

    __tablename__ = "payment_option_rate"
    id: Mapped[SerialKey]
    invoice_id: Mapped[str]
    currency_id: Mapped[str]
    merchant_id: Mapped[str]
    amount_units: Mapped[UnitsOrNone]
    rate: Mapped[Decimal]
    rate_source: Mapped[str]
    rate_at: Mapped[datetime]
    until: Mapped[datetime]


class ReceiptRate(Table):
    """What one coin of a payment was worth in its invoice's currency when it was received."""

    __tablename__ = "receipt_rate"
    deposit_id: Mapped[TextKey]
    currency_id: Mapped[TextKey]
    invoice_id: Mapped[TextKey]
    merchant_id: Mapped[str]
    rate: Mapped[Decimal]
    rate_source: Mapped[str]
    rate_at: Mapped[datetime]


class InvoiceWord(Table):
    """One word of an invoice's order id or description; written by a trigger."""

    __tablename__ = "invoice_word"
    merchant_id: Mapped[TextKey]
    livemode: Mapped[bool] = mapped_column(primary_key=True)
    word: Mapped[TextKey]
    invoice_id: Mapped[TextKey]


class Simulation(Table):
    """A payment to a test invoice that the watcher of a local network is asked to play."""

    __tablename__ = "simulation"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    invoice_id: Mapped[str]
    network_id: Mapped[str]
    currency_id: Mapped[str]
    scenario: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=FetchedValue())
    reason: Mapped[str | None]
    tx_hash: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    expires_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    ended_at: Mapped[datetime | None]
