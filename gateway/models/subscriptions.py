"""Packages, the subscriptions that bill them, and the periods that are billed."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey


class Package(Table):
    """What a customer may be a member of: a price per period; neither ever changes."""

    __tablename__ = "package"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    name: Mapped[str]
    price: Mapped[Decimal]
    currency: Mapped[str]
    period: Mapped[str]
    period_count: Mapped[int]
    trial_days: Mapped[int]
    payment_methods: Mapped[list[str] | None]
    active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Subscription(Table):
    """A customer's membership of a package. `next_start` begins the first period not billed yet.

    Periods are counted from `anchor`; `paid_until` is up to when the customer is a member.
    """

    __tablename__ = "subscription"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    customer_id: Mapped[str]
    package_id: Mapped[str]
    next_package_id: Mapped[str | None]
    status: Mapped[str]
    anchor: Mapped[datetime]
    periods: Mapped[int]
    next_start: Mapped[datetime]
    paid_until: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool]
    auto_charge: Mapped[str | None]
    reminder_days: Mapped[int]
    grace_days: Mapped[int]
    look_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SubscriptionPeriod(Table):
    """A billed period: its invoice, or the transfer that paid it."""

    __tablename__ = "subscription_period"
    subscription_id: Mapped[TextKey]
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    period_end: Mapped[datetime]
    merchant_id: Mapped[str]
    package_id: Mapped[str]
    deadline: Mapped[datetime]
    invoice_id: Mapped[str | None]
    transfer_id: Mapped[str | None]
    status: Mapped[str]
    created_at: Mapped[datetime]
