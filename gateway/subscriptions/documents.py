"""What the world sees of packages, subscriptions and their periods."""

from datetime import datetime, timedelta

import msgspec

from gateway.domain.money import plain
from gateway.domain.subscription import is_member
from gateway.models import Package, Subscription, SubscriptionPeriod


class PackageDocument(msgspec.Struct, kw_only=True):
    """A price per period; `price` in whole units of `currency`."""

    id: str
    object: str
    livemode: bool
    merchant_id: str
    name: str
    price: str
    currency: str
    period: str
    period_count: int
    trial_days: int
    payment_methods: list[str] | None
    active: bool
    created_at: datetime
    updated_at: datetime


class SubscriptionDocument(msgspec.Struct, kw_only=True):
    """A customer's subscription; `membership` says whether it may use the package now.

    `next_period_start` begins the first period that is not paid; `reason` says why it is not
    billed although it is due, why nobody can pay its bill, or why the subscription has ended.
    """

    id: str
    object: str
    livemode: bool
    merchant_id: str
    customer_id: str
    package_id: str
    next_package_id: str | None
    status: str
    membership: str
    paused: bool
    cancel_at_period_end: bool
    next_period_start: datetime
    paid_until: datetime | None
    auto_charge: str | None
    reminder_days: int
    grace_days: int
    reason: str | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class PeriodDocument(msgspec.Struct, kw_only=True):
    """One billed period: paid by its invoice, or by a transfer out of the customer's balance."""

    object: str
    subscription_id: str
    package_id: str
    start: datetime
    end: datetime
    deadline: datetime
    status: str
    invoice_id: str | None
    transfer_id: str | None


def package_document(row: Package) -> PackageDocument:
    """Shape one package."""
    return PackageDocument(
        id=row.id,
        object="package",
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        name=row.name,
        price=plain(row.price),
        currency=row.currency,
        period=row.period,
        period_count=row.period_count,
        trial_days=row.trial_days,
        payment_methods=row.payment_methods,
        active=row.active,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def subscription_document(row: Subscription, at: datetime) -> SubscriptionDocument:
    """Shape one subscription as of now."""
    member = is_member(
        at,
        status=row.status,
        trial_until=row.next_start,
        paid_until=row.paid_until,
        grace=timedelta(days=row.grace_days),
        goes_on=row.paused_at is None and not row.cancel_at_period_end,
    )
    return SubscriptionDocument(
        id=row.id,
        object="subscription",
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        customer_id=row.customer_id,
        package_id=row.package_id,
        next_package_id=row.next_package_id,
        status=row.status,
        membership="active" if member else "none",
        paused=row.paused_at is not None,
        cancel_at_period_end=row.cancel_at_period_end,
        next_period_start=row.next_start,
        paid_until=row.paid_until,
        auto_charge=row.auto_charge,
        reminder_days=row.reminder_days,
        grace_days=row.grace_days,
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ended_at=row.ended_at,
    )


def period_document(row: SubscriptionPeriod) -> PeriodDocument:
    """Shape one period."""
    return PeriodDocument(
        object="subscription_period",
        subscription_id=row.subscription_id,
        package_id=row.package_id,
        start=row.period_start,
        end=row.period_end,
        deadline=row.deadline,
        status=row.status,
        invoice_id=row.invoice_id,
        transfer_id=row.transfer_id,
    )
