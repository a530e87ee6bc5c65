"""Named queries for endpoints, events and deliveries."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.models import Event, WebhookDelivery, WebhookEndpoint
from gateway.paging import PageRequest, Slice, newest_first

EVENT_FILTERS = {"type": Event.type, "subject": Event.subject}
DELIVERY_FILTERS = {
    "endpoint_id": WebhookDelivery.endpoint_id,
    "event_id": WebhookDelivery.event_id,
    "status": WebhookDelivery.status,
}


async def endpoint_of(
    session: AsyncSession, merchant_id: str, endpoint_id: str, *, lock: bool = False
) -> WebhookEndpoint:
    """Return the merchant's endpoint; raise `NotFound` where this caller has no such thing."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id,
        WebhookEndpoint.merchant_id == merchant_id,
        WebhookEndpoint.deleted_at.is_(None),
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no webhook endpoint {endpoint_id[:64]}")
    return row


async def endpoints_of(session: AsyncSession, merchant_id: str) -> Sequence[WebhookEndpoint]:
    """Return all of the merchant's endpoints, newest first."""
    query = (
        select(WebhookEndpoint)
        .where(WebhookEndpoint.merchant_id == merchant_id, WebhookEndpoint.deleted_at.is_(None))
        .order_by(WebhookEndpoint.id.desc())
    )
    return (await session.scalars(query)).all()


async def endpoint_count(session: AsyncSession, merchant_id: str) -> int:
    """Return how many endpoints the merchant has."""
    query = select(func.count()).where(
        WebhookEndpoint.merchant_id == merchant_id, WebhookEndpoint.deleted_at.is_(None)
    )
    return await session.scalar(query) or 0


async def event_of(
    session: AsyncSession, merchant_id: str, event_id: str, *, livemode: bool
) -> Event:
    """Return the merchant's event; raise `NotFound` where this caller has no such thing."""
    query = select(Event).where(
        Event.id == event_id, Event.merchant_id == merchant_id, Event.livemode == livemode
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no event {event_id[:64]}")
    return row


async def event_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
) -> Slice[Event]:
    """Return one page of the merchant's events."""
    query = select(Event).where(Event.merchant_id == merchant_id, Event.livemode == livemode)
    for name, value in wanted.items():
        query = query.where(EVENT_FILTERS[name] == value)
    return await newest_first(session, query, Event.id, page)


async def delivery_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
) -> tuple[Slice[WebhookDelivery], dict[str, str]]:
    """Return one page of the merchant's deliveries and the type of each event by its id."""
    query = (
        select(WebhookDelivery)
        .join(Event, Event.id == WebhookDelivery.event_id)
        .where(WebhookDelivery.merchant_id == merchant_id, Event.livemode == livemode)
    )
    for name, value in wanted.items():
        query = query.where(DELIVERY_FILTERS[name] == value)
    found = await newest_first(session, query, WebhookDelivery.id, page)
    ids = {row.event_id for row in found.rows}
    events = await session.execute(select(Event.id, Event.type).where(Event.id.in_(ids)))
    return found, {row.id: row.type for row in events}
