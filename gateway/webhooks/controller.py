"""Webhook endpoints over HTTP."""

from datetime import timedelta

from litestar import Controller, Response, delete, get, patch, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, whole
from gateway.http.parts import given
from gateway.settings import Settings
from gateway.webhooks import replays, service
from gateway.webhooks.documents import (
    EndpointDocument,
    EventDocument,
    ReplayDocument,
    endpoint_document,
    event_document,
)
from gateway.webhooks.repository import (
    endpoint_of,
    endpoints_of,
    event_of,
)
from gateway.webhooks.schemas import (
    ChangeEndpoint,
    CreateEndpoint,
    ReplayEvents,
    RotateSecret,
)
from gateway.webhooks.secrets import EndpointSecrets
from gateway.webhooks.service import Desk


class WebhookEndpointController(Controller):
    """Where the merchant's events go."""

    path = "/webhook_endpoints"

    @post("/", guards=[requires("webhooks:write", step_up=True)])
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
            return await service.add_endpoint(
                desk, data.url, data.events, endpoint_secrets, ed25519=data.ed25519
            )

        return await call.once(work)

    @get("/", guards=[requires("webhooks:read")])
    async def index(self, call: Call) -> Page[EndpointDocument]:
        """List all endpoints, newest first."""
        async with call.transaction() as session:
            actor = call.actor
            found = await endpoints_of(session, actor.tenant, livemode=actor.livemode)
        return whole([endpoint_document(row) for row in found])

    @get("/{endpoint_id:str}", guards=[requires("webhooks:read")])
    async def show(self, call: Call, endpoint_id: str) -> EndpointDocument:
        """Show one endpoint."""
        actor = call.actor
        async with call.transaction() as session:
            return endpoint_document(
                await endpoint_of(session, actor.tenant, endpoint_id, livemode=actor.livemode)
            )

    @patch("/{endpoint_id:str}", guards=[requires("webhooks:write", step_up=True)])
    async def change(
        self, call: Call, settings: Settings, endpoint_id: str, data: ChangeEndpoint
    ) -> EndpointDocument:
        """Change the address or the events, switch it off or on again."""
        async with call.transaction() as session:
            desk = _desk(call, session, settings)
            return await service.change_endpoint(desk, endpoint_id, given(data))

    @delete("/{endpoint_id:str}", guards=[requires("webhooks:write", step_up=True)])
    async def remove(self, call: Call, settings: Settings, endpoint_id: str) -> None:
        """Remove an endpoint."""
        async with call.transaction() as session:
            await service.remove_endpoint(_desk(call, session, settings), endpoint_id)

    @post(
        "/{endpoint_id:str}/test",
        guards=[requires("webhooks:write", step_up=True)],
        status_code=201,
    )
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

    @post(
        "/{endpoint_id:str}/rotate_secret",
        guards=[requires("webhooks:write", step_up=True)],
        status_code=200,
    )
    async def rotate_secret(
        self,
        call: Call,
        settings: Settings,
        endpoint_secrets: EndpointSecrets,
        endpoint_id: str,
        data: RotateSecret | None = None,
    ) -> Response[EndpointDocument]:
        """Begin a new secret, shown only here; both sign until the overlap is over."""

        async def work(session: AsyncSession) -> EndpointDocument:
            overlap = timedelta(hours=(data or RotateSecret()).overlap_hours)
            desk = _desk(call, session, settings)
            return await replays.rotate_secret(desk, endpoint_id, overlap, endpoint_secrets)

        return await call.once(work, status=200)

    @post(
        "/{endpoint_id:str}/replay",
        guards=[requires("webhooks:write", step_up=True)],
        status_code=202,
    )
    async def replay(
        self, call: Call, settings: Settings, endpoint_id: str, data: ReplayEvents
    ) -> Response[ReplayDocument]:
        """Queue the events of a time range once more; receivers will act on them again."""

        async def work(session: AsyncSession) -> ReplayDocument:
            until = data.until or call.moment.at
            wanted = replays.Range(data.since, until, data.types, data.status == "failed")
            return await replays.replay(_desk(call, session, settings), endpoint_id, wanted)

        return await call.once(work, status=202)


def _desk(call: Call, session: AsyncSession, settings: Settings) -> Desk:
    return Desk(session, call.actor, call.moment, settings.webhooks.allow_private)
