"""What the clock alone does to invoices: unpaid ones expire, and watching ends.

A payment that is already in a block must win. So an invoice waits as long as a network on which
it can be paid has not been scanned past the expiry, for up to that network's `lag_seconds_max`.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, exists, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.invoices.standing import reconsider
from gateway.models import Invoice, Network, NetworkHealth, PaymentOption
from gateway.settings import Settings

BATCH = 100


async def expire_round(database: Database, settings: Settings, moment: Moment) -> bool:
    """Expire a batch in one transaction; tell whether there may be more."""
    overdue = (
        Invoice.status == "pending",
        Invoice.expires_at <= moment.at,
        ~_scan_pending(settings, moment.at),
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        found = await _locked(session, and_(*overdue))
        for invoice in found:
            await reconsider(
                session,
                invoice,
                moment,
                reason="expired before it was paid",
                public_url=settings.api.public_url,
            )
    return len(found) == BATCH


async def close_round(database: Database, settings: Settings, moment: Moment) -> bool:
    """Make a batch final whose time of monitoring is over; tell whether there may be more.

    Invoices in `processing` or `settled` become final with their deposits, not with time.
    """
    watched_enough = (
        Invoice.status.in_(("expired", "canceled", "invalid")),
        ~Invoice.final,
        Invoice.monitoring_until <= moment.at,
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        found = await _locked(session, and_(*watched_enough))
        for invoice in found:
            await reconsider(
                session,
                invoice,
                moment,
                reason="monitoring ended",
                public_url=settings.api.public_url,
            )
    return len(found) == BATCH


async def _locked(session: AsyncSession, condition: ColumnElement[bool]) -> list[Invoice]:
    """Lock a batch, passing over invoices that a watcher is moving at this moment."""
    query = (
        select(Invoice)
        .where(condition)
        .order_by(Invoice.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    return list(await session.scalars(query))


def _scan_pending(settings: Settings, at: datetime) -> ColumnElement[bool]:
    """Match invoices with a network that may still bring a payment from before the expiry."""
    if not settings.networks:
        return false()
    patience = {
        name: at - timedelta(seconds=network.lag_seconds_max)
        for name, network in settings.networks.items()
    }
    scanned_past = NetworkHealth.head_time > Invoice.expires_at
    return exists(
        select(1)
        .select_from(PaymentOption)
        .join(Network, Network.id == PaymentOption.network_id)
        .outerjoin(NetworkHealth, NetworkHealth.network_id == PaymentOption.network_id)
        .where(
            PaymentOption.invoice_id == Invoice.id,
            PaymentOption.address.is_not(None),
            Network.enabled,
            or_(NetworkHealth.head_time.is_(None), ~scanned_past),
            Invoice.expires_at > case(patience, value=PaymentOption.network_id, else_=at),
        )
    )
