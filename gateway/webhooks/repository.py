"""Named queries for endpoints, events and deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.models import Event, WebhookDelivery, WebhookEndpoint
from gateway.paging import PageRequest, Slice, cut, newest_first
from gateway.webhooks.catalogue import EVERYTHING

EVENT_FILTERS = {"type": Event.type, "subject": Event.subject}
DELIVERY_FILTERS = {
    "endpoint_id": WebhookDelivery.endpoint_id,
    "event_id": WebhookDelivery.event_id,
    "status": WebhookDelivery.status,
}


async def endpoint_of(
    session: AsyncSession,
    merchant_id: str,
    endpoint_id: str,
    *,
    livemode: bool,
    lock: bool = False,
) -> WebhookEndpoint:
    """Return the merchant's endpoint; raise `NotFound` where this caller has no such thing."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id,
        WebhookEndpoint.merchant_id == merchant_id,
        WebhookEndpoint.livemode == livemode,
        WebhookEndpoint.deleted_at.is_(None),
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no webhook endpoint {endpoint_id[:64]}")
    return row


async def endpoints_of(
    session: AsyncSession, merchant_id: str, *, livemode: bool
) -> Sequence[WebhookEndpoint]:
    """Return all of the merchant's endpoints, newest first."""
    query = (
        select(WebhookEndpoint)
        .where(
            WebhookEndpoint.merchant_id == merchant_id,
            WebhookEndpoint.livemode == livemode,
            WebhookEndpoint.deleted_at.is_(None),
        )
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
    query = _events(merchant_id, wanted, livemode=livemode)
    return await newest_first(session, query, Event.id, page)


async def event_feed(
    session: AsyncSession,
    merchant_id: str,
    after: int,
    limit: int,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
) -> Slice[Event]:
    """Return the events behind place `after` of the feed, oldest first."""
    query = _events(merchant_id, wanted, livemode=livemode).where(Event.feed > after)
    found = (await session.scalars(query.order_by(Event.feed).limit(limit + 1))).all()
    return cut(found, limit, backwards=False)


def _events(merchant_id: str, wanted: Mapping[str, str], *, livemode: bool) -> Select[Event]:
    query = select(Event).where(Event.merchant_id == merchant_id, Event.livemode == livemode)
    for name, value in wanted.items():
        query = query.where(EVENT_FILTERS[name] == value)
    return query


async def delivery_of(
    session: AsyncSession, merchant_id: str, delivery_id: str, *, livemode: bool
) -> tuple[WebhookDelivery, Event]:
    """Return the merchant's delivery and its event; raise `NotFound`."""
    query = (
        select(WebhookDelivery, Event)
        .join(Event, Event.id == WebhookDelivery.event_id)
        .where(
            WebhookDelivery.id == delivery_id,
            WebhookDelivery.merchant_id == merchant_id,
            Event.livemode == livemode,
        )
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no webhook delivery {delivery_id[:64]}")
    return row[0], row[1]


async def event_data(session: AsyncSession, merchant_id: str, event_id: str) -> str:
    """Return the data of the merchant's event as PostgreSQL writes it."""
    query = select(cast(Event.data, Text)).where(
        Event.id == event_id, Event.merchant_id == merchant_id
    )
    return (await session.scalars(query)).one()


async def events_to_replay(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    since: datetime,
    until: datetime,
    types: Sequence[str],
    *,
    failed_only: bool,
    limit: int,
) -> Sequence[Event]:
    """Return events of a time range that an endpoint wants, oldest first.

    With `failed_only`, those of which no delivery to it succeeded or is under way.
    """
    names = [name for name in types or endpoint.events if name != EVERYTHING]
    query = select(Event).where(
        Event.merchant_id == endpoint.merchant_id,
        Event.livemode == endpoint.livemode,
        Event.at >= since,
        Event.at < until,
    )
    if names:
        query = query.where(Event.type.in_(names))
    if failed_only:
        done = select(WebhookDelivery.event_id).where(
            WebhookDelivery.endpoint_id == endpoint.id,
            WebhookDelivery.status.in_(["succeeded", "scheduled", "retrying"]),
        )
        query = query.where(Event.id.not_in(done))
    order = (Event.at, Event.position)
    return (await session.scalars(query.order_by(*order).limit(limit))).all()


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
