"""When addresses of invoices that expired are looked at again: money may come late and silently."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    Select,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import AddressPool, Invoice, ReconciliationMark

UNPAID = ("expired", "canceled", "invalid")
"""How an invoice ends without enough. What was paid lies at an address that is in every turn; an
invoice that is settled may have others, of other methods, or be settled by hand."""
LOOKS = (timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=7))
"""So much after its expiry an invoice is looked at while it is monitored, usually to the last."""
DAY, YEAR = timedelta(days=1), timedelta(days=365)
"""Shops set whole days, and no more than a year of them."""
END: ColumnElement[datetime] = type_coerce(Invoice.monitoring_until, DateTime(timezone=True))
MONITORED = type_coerce(Invoice.monitoring_until - Invoice.expires_at, Interval)


class Due(NamedTuple):
    """An address to look at, when, and how long its invoice is monitored after its expiry."""

    moment: datetime
    address: str
    monitored: timedelta


def unusual(lengths: Iterable[timedelta]) -> set[timedelta]:
    """Return those at whose end no look falls by itself.

    Only whole days: an invoice of a simulation, which expires at any time, must not add a length.
    """
    return {each for each in lengths if each not in LOOKS and not each % DAY}


async def unusual_lengths(session: AsyncSession, since: datetime) -> set[timedelta]:
    """Return for how long the invoices are monitored whose monitoring was not over at `since`.

    No index tells, so this reads the invoices of a year: once is enough, for each of the others
    comes by when it expires.
    """
    query = select(MONITORED).where(
        Invoice.expires_at > since - YEAR, Invoice.monitoring_until > since
    )
    return unusual(await session.scalars(query.distinct()))


async def expired_addresses(
    session: AsyncSession,
    network: str,
    window: tuple[datetime, datetime],
    limit: int,
    lengths: Collection[timedelta] = (),
) -> list[Due]:
    """Return addresses that are due for a look in the window `(since, until]`, in its order.

    An invoice is looked at when it expires, an hour, a day and a week later, and when it is no
    longer monitored: an unpaid one's end has an index, any other's is found where it is monitored
    for one of these `lengths`. More than `limit` come only where several are due at the same
    moment, for the moment is all that is remembered.
    """
    since, until = window
    looks = [
        _after(network, window, delay, Invoice.expires_at + delay).where(
            Invoice.expires_at + delay <= Invoice.monitoring_until if delay else true()
        )
        for delay in LOOKS
    ]
    ends = [
        _after(network, window, length, END).where(
            MONITORED == length,  # noqa: SIM300 - SQL
            Invoice.status.not_in(UNPAID),
        )
        for length in sorted(lengths)
    ]
    last = _due(network, END).where(
        Invoice.monitoring_until > since,
        Invoice.monitoring_until <= until,
        Invoice.status.in_(UNPAID),
    )
    due = union_all(*looks, *ends, last).subquery()
    query = select(due).order_by(due.c.moment).fetch(limit, with_ties=True)
    return [Due(*row) for row in await session.execute(query)]


def _after(
    network: str,
    window: tuple[datetime, datetime],
    delay: timedelta,
    moment: ColumnElement[datetime],
) -> Select[datetime, str, timedelta]:
    """Select what expired by `delay` before the window."""
    since, until = (each - delay for each in window)
    return _due(network, moment).where(Invoice.expires_at > since, Invoice.expires_at <= until)


def _due(network: str, moment: ColumnElement[datetime]) -> Select[datetime, str, timedelta]:
    return (
        select(moment.label("moment"), AddressPool.address, MONITORED.label("monitored"))
        .join(AddressPool, AddressPool.invoice_id == Invoice.id)
        .where(AddressPool.network_id == network)
    )


async def mark_of(session: AsyncSession, network: str) -> datetime | None:
    """Return up to when expired invoices were looked at; None on the first run."""
    query = select(ReconciliationMark.expiries_through).where(
        ReconciliationMark.network_id == network
    )
    return await session.scalar(query)
