"""Which period is billed next, and its row."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert

from gateway.domain.subscription import Cycle
from gateway.invoices.service import Desk
from gateway.models import Package, Subscription, SubscriptionPeriod
from gateway.subscriptions import repository
from gateway.subscriptions.repository import Account


@dataclass(frozen=True, slots=True)
class Span:
    """A period to bill, and until when it may be paid."""

    start: datetime
    end: datetime
    deadline: datetime


async def package_due(desk: Desk, account: Account) -> Package:
    """Return what is billed now; another plan begins a count of its own."""
    row = account.row
    if row.next_package_id is None:
        return account.package
    row.package_id, row.next_package_id = row.next_package_id, None
    row.anchor, row.periods = row.next_start, 0
    return await desk.session.get_one(Package, row.package_id)


def span(row: Subscription, package: Package, at: datetime) -> Span:
    """Return the period that is due: the next one, or one from now where that is over already.

    Nobody pays for time in which nobody was asked to.
    """
    cycle = Cycle(row.anchor, package.period, package.period_count)
    start, end = row.next_start, cycle.start(row.periods + 1)
    if at >= end:
        start, end = at, Cycle(at, package.period, package.period_count).start(1)
    return Span(start, end, max(start, at) + timedelta(days=row.grace_days))


async def open_next(desk: Desk, row: Subscription, package: Package) -> SubscriptionPeriod:
    """Write down the period that is billed now; one that was called off before is opened anew."""
    due = span(row, package, desk.moment.at)
    if due.start != row.next_start:
        row.anchor = row.next_start = due.start
        row.periods = 0
    values = {
        "period_end": due.end,
        "package_id": package.id,
        "deadline": due.deadline,
        "invoice_id": None,
        "status": "open",
    }
    keys = {
        "subscription_id": row.id,
        "period_start": due.start,
        "merchant_id": row.merchant_id,
    }
    statement = insert(SubscriptionPeriod).values(**keys, **values, created_at=desk.moment.at)
    again = statement.on_conflict_do_update(
        index_elements=["subscription_id", "period_start"],
        set_=values,
        where=SubscriptionPeriod.status == "void",
    )
    await desk.session.flush()
    await desk.session.execute(again)
    period = await repository.open_period(desk.session, row.id)
    if period is None:
        raise RuntimeError(f"subscription {row.id}: period {due.start} was billed before")
    return period
