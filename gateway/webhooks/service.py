"""A merchant's endpoints: where events may go, which ones, and a test of the way there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.noting import Noting
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.moment import Moment
from gateway.merchants.repository import merchant_of
from gateway.models import WebhookEndpoint
from gateway.webhooks.catalogue import EVENT_TYPES, EVERYTHING, PING
from gateway.webhooks.documents import EndpointDocument, endpoint_document
from gateway.webhooks.guard import Guard
from gateway.webhooks.outbox import API_VERSION, emit, forgive
from gateway.webhooks.repository import endpoint_count, endpoint_of
from gateway.webhooks.secrets import EndpointSecrets

ENDPOINTS_MAX = 20
FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Desk(Noting):
    """What every use case needs: the transaction, who asks, the moment, whether a LAN is fine."""

    session: AsyncSession
    actor: Actor
    moment: Moment
    allow_private: bool

    async def locked(self, endpoint_id: str) -> WebhookEndpoint:
        """Return the actor's endpoint with its row lock."""
        return await endpoint_of(
            self.session,
            self.actor.tenant,
            endpoint_id,
            livemode=self.actor.livemode,
            lock=True,
        )


async def add_endpoint(
    desk: Desk,
    url: str,
    events: Sequence[str],
    secrets: EndpointSecrets,
    *,
    ed25519: bool,
) -> EndpointDocument:
    """Write a new endpoint and return it with its secret, this once."""
    _check_url(desk, url)
    check_events(events)
    tenant = desk.actor.tenant
    # The merchant's row lock makes counting and adding one step.
    await merchant_of(desk.session, tenant, lock=True)
    if await endpoint_count(desk.session, tenant) >= ENDPOINTS_MAX:
        raise Conflict(
            f"a merchant has at most {ENDPOINTS_MAX} endpoints", code="too_many_endpoints"
        )
    row = WebhookEndpoint(
        id=desk.moment.id("whe"),
        merchant_id=tenant,
        url=url,
        events=_normal(events),
        livemode=desk.actor.livemode,
        secret_version=FIRST_VERSION,
        previous_until=None,
        ed25519=ed25519,
        api_version=API_VERSION,
        status="enabled",
        exhausted_in_a_row=0,
        failing_since=None,
        created_at=desk.moment.at,
        deleted_at=None,
    )
    desk.session.add(row)
    await desk.session.flush()
    after = {"url": url, "events": row.events}
    await desk.note("webhook_endpoint.created", row.id, after)
    return with_secret(row, secrets)


async def change_endpoint(
    desk: Desk, endpoint_id: str, changes: Mapping[str, Any]
) -> EndpointDocument:
    """Set the given columns; a new URL and switching it on forgive what failed before."""
    wanted = dict(changes)
    if "url" in wanted:
        _check_url(desk, wanted["url"])
    if "events" in wanted:
        check_events(wanted["events"])
        wanted["events"] = _normal(wanted["events"])
    row = await desk.locked(endpoint_id)
    if "url" in wanted or wanted.get("status") == "enabled":
        wanted |= {"exhausted_in_a_row": 0, "failing_since": None}
        await forgive(desk.session, row.id)
    after = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if after:
        before = {name: getattr(row, name) for name in after}
        for name, value in after.items():
            setattr(row, name, value)
        await desk.session.flush()
        await desk.note("webhook_endpoint.changed", row.id, after, before=before)
    return endpoint_document(row)


async def remove_endpoint(desk: Desk, endpoint_id: str) -> None:
    """Delete an endpoint softly; what was on its way to it is not sent any more."""
    row = await desk.locked(endpoint_id)
    row.deleted_at = desk.moment.at
    row.status = "disabled"
    await desk.session.flush()
    after = {"deleted_at": row.deleted_at}
    await desk.note("webhook_endpoint.deleted", row.id, after, before={"url": row.url})


def with_secret(row: WebhookEndpoint, secrets: EndpointSecrets) -> EndpointDocument:
    """Shape an endpoint with its newest secret and, where it wants one, its public key."""
    version = row.secret_version
    public_key = secrets.public_key(row.id, version) if row.ed25519 else None
    return endpoint_document(row, secret=secrets.of(row.id, version), public_key=public_key)


async def ping(desk: Desk, endpoint_id: str) -> str:
    """Queue a `ping` for this endpoint alone; return the event's id."""
    row = await desk.locked(endpoint_id)
    if row.status != "enabled":
        raise Conflict("the endpoint is disabled", code="endpoint_disabled")
    return await emit(
        desk.session,
        desk.moment,
        type_=PING,
        merchant_id=row.merchant_id,
        livemode=desk.actor.livemode,
        subject=row.id,
        data={"object": {"id": row.id, "object": "webhook_endpoint", "url": row.url}},
        only_to=row.id,
    )


def _check_url(desk: Desk, url: str) -> None:
    """Refuse what the sender would refuse: the earlier, clearer answer."""
    fault = Guard(allow_private=desk.allow_private).url_fault(url)
    if fault is not None:
        raise Invalid.field("/url", "invalid_url", fault)


def check_events(events: Sequence[str], pointer: str = "/events") -> None:
    """Refuse names that no event has."""
    for index, name in enumerate(events):
        if name != EVERYTHING:
            check_event(name, f"{pointer}/{index}", "`*` or one of")


def check_event(name: str, pointer: str, wanted: str = "one of") -> None:
    """Refuse a name that no event has: who waits for it waits for ever."""
    if name not in EVENT_TYPES:
        known = ", ".join(sorted(EVENT_TYPES))
        raise Invalid.field(pointer, "unknown_event", f"{name}: {wanted} {known}")


def _normal(events: Sequence[str]) -> list[str]:
    return [EVERYTHING] if EVERYTHING in events else sorted(set(events))
