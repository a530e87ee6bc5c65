"""Named queries for packages, subscriptions and their periods."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Invalid
from gateway.models import (
    Customer,
    Invoice,
    Merchant,
    Package,
    Subscription,
    SubscriptionPeriod,
)
from gateway.paging import PageRequest, Slice, cut, newest_first, sole, windowed

AT_ONCE = 50
RATE_MINUTES_MIN = 60
FILTERS = {
    "customer_id": Subscription.customer_id,
    "package_id": Subscription.package_id,
    "status": Subscription.status,
}
"""What a merchant's list can be narrowed to."""


@dataclass(frozen=True, slots=True)
class Account:
    """A subscription under its row lock, with everything that decides what is due.

    `rates_last` is how long the merchant's invoices hold a rate, an hour at least.
    """

    row: Subscription
    customer: Customer
    package: Package
    merchant_active: bool
    rates_last: timedelta
    period: SubscriptionPeriod | None
    invoice: Invoice | None

    @property
    def paid(self) -> bool:
        """Tell whether the open period is paid for good, by the chain or by the merchant's word."""
        if self.period is not None and self.period.transfer_id is not None:
            return True
        return self.invoice is not None and bool(_paid(self.invoice))

    @property
    def called_off(self) -> str | None:
        """Say why nobody can pay the open period's invoice any more; None where somebody can."""
        return called_off(self.invoice)

    @property
    def arriving(self) -> bool:
        """Tell whether a payment of the open period has been seen and is not final."""
        return self.invoice is not None and self.invoice.status in ("processing", "settled")


def called_off(invoice: Invoice | None) -> str | None:
    """Say which word of the merchant's ended a bill; None where none did."""
    if invoice is None or not _called_off(invoice):
        return None
    word = "canceled" if invoice.status == "canceled" else "marked invalid"
    return f"its invoice {invoice.id} was {word}"


def _paid(invoice: Any) -> Any:
    """Tell of a row whether it is paid for good; of `Invoice` itself, say so in SQL."""
    return (invoice.status == "settled") & (invoice.final | (invoice.exception == "marked"))


def _called_off(invoice: Any) -> Any:
    """Tell likewise whether the merchant's word ended it unpaid."""
    marked = (invoice.status == "invalid") & (invoice.exception == "marked")
    return (invoice.status == "canceled") | marked


async def package_of(
    session: AsyncSession, merchant_id: str, package_id: str, *, livemode: bool
) -> Package:
    """Return the merchant's package; raise `NotFound` where there is none."""
    query = select(Package).where(
        Package.id == package_id,
        Package.merchant_id == merchant_id,
        Package.livemode == livemode,
    )
    return await sole(session, query, "package", package_id)


async def package_page(
    session: AsyncSession, merchant_id: str, page: PageRequest, *, livemode: bool
) -> Slice[Package]:
    """Return one page of the merchant's packages, newest first."""
    query = select(Package).where(
        Package.merchant_id == merchant_id, Package.livemode == livemode
    )
    return await newest_first(session, query, Package.id, page)


async def subscription_of(
    session: AsyncSession,
    merchant_id: str,
    subscription_id: str,
    *,
    livemode: bool,
    lock: bool = False,
) -> Subscription:
    """Return the merchant's subscription; raise `NotFound` where there is none."""
    query = select(Subscription).where(
        Subscription.id == subscription_id,
        Subscription.merchant_id == merchant_id,
        Subscription.livemode == livemode,
    )
    return await sole(session, query, "subscription", subscription_id, lock=lock)


async def subscription_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
) -> Slice[Subscription]:
    """Return one page of the merchant's subscriptions, newest first."""
    query = select(Subscription).where(
        Subscription.merchant_id == merchant_id, Subscription.livemode == livemode
    )
    for name, value in wanted.items():
        query = query.where(FILTERS[name] == value)
    return await newest_first(session, query, Subscription.id, page)


async def period_page(
    session: AsyncSession, subscription_id: str, page: PageRequest
) -> Slice[SubscriptionPeriod]:
    """Return one page of a subscription's periods, newest first; the cursor is a period's start."""
    query = select(SubscriptionPeriod).where(
        SubscriptionPeriod.subscription_id == subscription_id
    )
    place = (SubscriptionPeriod.period_start,)
    edge = None if page.cursor is None else [_start(page)]
    found = (await session.scalars(windowed(query, place, edge, page))).all()
    return cut(found, page.limit, backwards=page.backwards)


def cursor_of(row: SubscriptionPeriod) -> str:
    """Return a period's start, without a sign that an address would have to spell out."""
    return row.period_start.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _start(page: PageRequest) -> datetime:
    try:
        start = datetime.fromisoformat(page.cursor or "")
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        name = page.parameter
        raise Invalid.field(f"/{name}", "invalid_parameter", f"{name}: no period's start")
    return start


async def open_period(session: AsyncSession, subscription_id: str) -> SubscriptionPeriod | None:
    """Return the period that is billed and not paid."""
    query = select(SubscriptionPeriod).where(
        SubscriptionPeriod.subscription_id == subscription_id,
        SubscriptionPeriod.status == "open",
    )
    fresh = query.execution_options(populate_existing=True)
    return (await session.scalars(fresh)).one_or_none()


async def had_before(session: AsyncSession, customer_id: str, package_id: str) -> bool:
    """Tell whether the customer was ever subscribed to this package: a trial is given once."""
    query = select(Subscription.id).where(
        Subscription.customer_id == customer_id, Subscription.package_id == package_id
    )
    return await session.scalar(query.limit(1)) is not None


async def due(session: AsyncSession, at: datetime) -> list[tuple[str, str]]:
    """Return subscriptions and their merchants that time, a payment or a word has something for.

    A bill that was called off is something to say, once.
    """
    by_time = (
        select(Subscription.id, Subscription.merchant_id)
        .where(Subscription.look_at <= at)
        .order_by(Subscription.look_at)
        .limit(AT_ONCE)
    )
    untold = and_(Subscription.reason.is_(None), _called_off(Invoice))
    by_payment = (
        select(SubscriptionPeriod.subscription_id, SubscriptionPeriod.merchant_id)
        .join(Invoice, Invoice.id == SubscriptionPeriod.invoice_id)
        .join(Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .where(SubscriptionPeriod.status == "open", or_(_paid(Invoice), untold))
        .limit(AT_ONCE)
    )
    found = await session.execute(
        union(by_time.subquery().select(), by_payment.subquery().select())
    )
    return sorted((subscription, merchant) for subscription, merchant in found)


async def account_of(session: AsyncSession, subscription_id: str) -> Account | None:
    """Return a live subscription under its row lock; None where another has it or it has ended."""
    query = (
        select(Subscription, Customer, Package, Merchant)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Package, Package.id == Subscription.package_id)
        .join(Merchant, Merchant.id == Subscription.merchant_id)
        .where(Subscription.id == subscription_id, Subscription.ended_at.is_(None))
        .with_for_update(of=Subscription, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, customer, package, merchant = found
    period = await open_period(session, row.id)
    invoice = None
    if period is not None and period.invoice_id is not None:
        invoice = await session.get(Invoice, period.invoice_id, populate_existing=True)
    active = merchant.status == "active" and merchant.deleted_at is None
    lasting = timedelta(minutes=max(merchant.invoice_expiry_minutes, RATE_MINUTES_MIN))
    return Account(row, customer, package, active, lasting, period, invoice)
