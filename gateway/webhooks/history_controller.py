"""The event feed and the delivery log over HTTP."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Invalid
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.models import Event
from gateway.paging import PageRequest, Slice
from gateway.settings import Settings
from gateway.webhooks import replays
from gateway.webhooks.documents import (
    DeliveryDocument,
    EventDocument,
    delivery_document,
    event_document,
)
from gateway.webhooks.repository import (
    delivery_of,
    delivery_page,
    event_data,
    event_feed,
    event_of,
    event_page,
)
from gateway.webhooks.schemas import DeliveryStatus, IdParameter, Order
from gateway.webhooks.service import Desk, check_event
from gateway.webhooks.signing import body_of

DIGITS_MAX = 18


class EventController(Controller):
    """Everything that happened, for receivers that poll or have missed something."""

    path = "/events"

    @get("/", guards=[requires("events:read")])
    async def index(
        self,
        call: Call,
        page: PageRequest,
        type_: Annotated[str | None, Parameter(query="type", max_length=64)] = None,
        subject: IdParameter = None,
        order: Order = "newest",
    ) -> Page[EventDocument]:
        """List events, newest first; `order=oldest` is the feed.

        The feed has no gaps: whoever goes on from `next_cursor`, which is always there, gets
        every event once.
        """
        actor = call.actor
        if type_ is not None:
            check_event(type_, "/type")
        wanted = _given(type=type_, subject=subject)
        async with call.transaction() as session:
            if order == "oldest":
                after = feed_place(page)
                behind = await event_feed(
                    session, actor.tenant, after, page.limit, wanted, livemode=actor.livemode
                )
                return feed_page(behind, after)
            found = await event_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
        return page_of(found, page, event_document, lambda row: row.id)

    @get("/{event_id:str}", guards=[requires("events:read")])
    async def show(self, call: Call, event_id: str) -> EventDocument:
        """Show one event, as its webhook carries it."""
        actor = call.actor
        async with call.transaction() as session:
            found = await event_of(session, actor.tenant, event_id, livemode=actor.livemode)
        return event_document(found)


class WebhookDeliveryController(Controller):
    """What was sent where, and what came back."""

    path = "/webhook_deliveries"

    @get("/", guards=[requires("webhooks:read")])
    async def index(
        self,
        call: Call,
        page: PageRequest,
        endpoint_id: IdParameter = None,
        event_id: IdParameter = None,
        status: DeliveryStatus | None = None,
    ) -> Page[DeliveryDocument]:
        """List deliveries, newest first."""
        actor = call.actor
        wanted = _given(endpoint_id=endpoint_id, event_id=event_id, status=status)
        async with call.transaction() as session:
            found, types = await delivery_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
        return page_of(
            found,
            page,
            lambda row: delivery_document(row, types[row.event_id]),
            lambda row: row.id,
        )

    @get("/{delivery_id:str}", guards=[requires("webhooks:read")])
    async def show(self, call: Call, delivery_id: str) -> DeliveryDocument:
        """Show one delivery with the body that was sent."""
        actor = call.actor
        async with call.transaction() as session:
            row, event = await delivery_of(
                session, actor.tenant, delivery_id, livemode=actor.livemode
            )
            data = await event_data(session, actor.tenant, event.id)
        sent = body_of(event_document(event), data).decode()
        return delivery_document(row, event.type, request_body=sent)

    @post(
        "/{delivery_id:str}/redeliver",
        guards=[requires("webhooks:write", step_up=True)],
        status_code=201,
    )
    async def redeliver(
        self, call: Call, settings: Settings, delivery_id: str
    ) -> Response[DeliveryDocument]:
        """Send the same event to the same endpoint once more, as a new delivery."""

        async def work(session: AsyncSession) -> DeliveryDocument:
            private = settings.webhooks.allow_private
            desk = Desk(session, call.actor, call.moment, private)
            row, event = await replays.redeliver(desk, delivery_id)
            return delivery_document(row, event.type)

        return await call.once(work)


def feed_place(page: PageRequest) -> int:
    """Read the cursor of the feed; without one it begins with the oldest event."""
    if page.before is not None:
        raise Invalid.field("/ending_before", "invalid_parameter", "the feed goes one way only")
    cursor = page.after
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= DIGITS_MAX):
        raise Invalid.field("/starting_after", "invalid_parameter", "no cursor of the feed")
    return int(cursor)


def feed_page(found: Slice[Event], after: int) -> Page[EventDocument]:
    """Shape a slice of the feed; its cursor is there also where nothing is new."""
    last = found.rows[-1].feed if found.rows else after
    return Page(
        object="list",
        data=[event_document(row) for row in found.rows],
        has_more=found.has_more,
        next_cursor=str(last),
    )


def _given(**filters: str | None) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value is not None}
