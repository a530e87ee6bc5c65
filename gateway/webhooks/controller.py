"""Webhook endpoints, the event feed and the delivery log over HTTP."""

from typing import Annotated, Any

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import Parameter
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of, whole
from gateway.paging import PageRequest
from gateway.settings import Settings
from gateway.webhooks import service
from gateway.webhooks.documents import (
    DeliveryDocument,
    EndpointDocument,
    EventDocument,
    delivery_document,
    endpoint_document,
    event_document,
)
from gateway.webhooks.repository import (
    delivery_page,
    endpoint_of,
    endpoints_of,
    event_of,
    event_page,
)
from gateway.webhooks.schemas import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryStatus,
    IdParameter,
)
from gateway.webhooks.secrets import EndpointSecrets
from gateway.webhooks.service import Desk


class WebhookEndpointController(Controller):
    """Where the merchant's events go."""

    path = "/webhook_endpoints"

    @post("/", guards=[requires("webhooks:write")])
    async def create(
        self,
        call: Call,
        settings: Settings,
        endpoint_secrets: EndpointSecrets,
        data: CreateEndpoint,
    ) -> Response[EndpointDocument]:
        """Add an endpoint; its signing secret is shown only here."""

        async def work(session: AsyncSession) -> EndpointDocument:
            desk = _desk(call, session, settings)
            return await service.add_endpoint(desk, data.url, data.events, endpoint_secrets)

        return await call.once(work)

    @get("/", guards=[requires("webhooks:read")])
    async def index(self, call: Call) -> Page[EndpointDocument]:
        """List all endpoints, newest first."""
        async with call.transaction() as session:
            found = await endpoints_of(session, call.actor.tenant)
        return whole([endpoint_document(row) for row in found])

    @get("/{endpoint_id:str}", guards=[requires("webhooks:read")])
    async def show(self, call: Call, endpoint_id: str) -> EndpointDocument:
        """Show one endpoint."""
        async with call.transaction() as session:
            return endpoint_document(await endpoint_of(session, call.actor.tenant, endpoint_id))

    @patch("/{endpoint_id:str}", guards=[requires("webhooks:write")])
    async def change(
        self, call: Call, settings: Settings, endpoint_id: str, data: ChangeEndpoint
    ) -> EndpointDocument:
        """Change the address or the events, switch it off or on again."""
        async with call.transaction() as session:
            desk = _desk(call, session, settings)
            return await service.change_endpoint(desk, endpoint_id, _changes(data))

    @delete("/{endpoint_id:str}", guards=[requires("webhooks:write")])
    async def remove(self, call: Call, settings: Settings, endpoint_id: str) -> None:
        """Remove an endpoint."""
        async with call.transaction() as session:
            await service.remove_endpoint(_desk(call, session, settings), endpoint_id)

    @post("/{endpoint_id:str}/test", guards=[requires("webhooks:write")], status_code=201)
    async def test(
        self, call: Call, settings: Settings, endpoint_id: str
    ) -> Response[EventDocument]:
        """Send a `ping` event to this endpoint, through the same queue as every other."""

        async def work(session: AsyncSession) -> EventDocument:
            event_id = await service.ping(_desk(call, session, settings), endpoint_id)
            actor = call.actor
            found = await event_of(session, actor.tenant, event_id, livemode=actor.livemode)
            return event_document(found)

        return await call.once(work)


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
    ) -> Page[EventDocument]:
        """List events, newest first."""
        actor = call.actor
        wanted = _given(type=type_, subject=subject)
        async with call.transaction() as session:
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


def _desk(call: Call, session: AsyncSession, settings: Settings) -> Desk:
    return Desk(session, call.actor, call.moment, settings.webhooks.allow_private)


def _changes(data: ChangeEndpoint) -> dict[str, Any]:
    """Return the columns that the body sets."""
    return {
        name: getattr(data, name)
        for name in data.__struct_fields__
        if getattr(data, name) is not UNSET
    }


def _given(**filters: str | None) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value is not None}
