"""Once more: a new secret, an event that was delivered badly, a range of events.

A redelivery is a new delivery of the same event, under the event's own id: a receiver that
remembers ids drops what it knows. A receiver that does not will act on it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.errors import Conflict, Invalid
from gateway.models import Event, WebhookDelivery, WebhookEndpoint
from gateway.webhooks.documents import EndpointDocument, ReplayDocument
from gateway.webhooks.outbox import queue
from gateway.webhooks.repository import delivery_of, events_to_replay
from gateway.webhooks.secrets import EndpointSecrets
from gateway.webhooks.service import Desk, check_events, with_secret

REPLAY_MAX = 1000
"""Events that one call queues."""


@dataclass(frozen=True, slots=True)
class Range:
    """Which events are sent again: of these types (all that the endpoint hears without any)."""

    since: datetime
    until: datetime
    types: Sequence[str]
    failed_only: bool


async def rotate_secret(
    desk: Desk, endpoint_id: str, overlap: timedelta, secrets: EndpointSecrets
) -> EndpointDocument:
    """Begin a new secret; the one before signs beside it for `overlap`, older ones no more."""
    row = await desk.locked(endpoint_id)
    before = {"secret_version": row.secret_version}
    row.secret_version += 1
    row.previous_until = desk.moment.at + overlap if overlap else None
    await desk.session.flush()
    after = {
        "secret_version": row.secret_version,
        "overlap_hours": overlap // timedelta(hours=1),
    }
    await desk.note("webhook_endpoint.secret_rotated", row.id, after, before=before)
    return with_secret(row, secrets)


async def redeliver(desk: Desk, delivery_id: str) -> tuple[WebhookDelivery, Event]:
    """Queue the same event for the same endpoint; return what has been queued."""
    actor = desk.actor
    old, event = await delivery_of(
        desk.session, actor.tenant, delivery_id, livemode=actor.livemode
    )
    if old.status in ("scheduled", "retrying"):
        raise Conflict("this delivery has not ended yet", code="delivery_not_ended")
    endpoint = await desk.locked(old.endpoint_id)
    _require_enabled(endpoint)
    new_id = await queue(desk.session, desk.moment, event, endpoint)
    await desk.note("webhook_delivery.redelivered", new_id, {"delivery_id": old.id})
    return await delivery_of(desk.session, actor.tenant, new_id, livemode=actor.livemode)


async def replay(desk: Desk, endpoint_id: str, wanted: Range) -> ReplayDocument:
    """Queue the events of a range, oldest first."""
    check_events(wanted.types, "/types")
    if wanted.since >= wanted.until:
        raise Invalid.field("/until", "invalid_range", "must be later than since")
    endpoint = await desk.locked(endpoint_id)
    _require_enabled(endpoint)
    found = await events_to_replay(
        desk.session,
        endpoint,
        wanted.since,
        wanted.until,
        wanted.types,
        failed_only=wanted.failed_only,
        limit=REPLAY_MAX + 1,
    )
    chosen = found[:REPLAY_MAX]
    for event in chosen:
        await queue(desk.session, desk.moment, event, endpoint)
    after = {"since": wanted.since.isoformat(), "until": wanted.until.isoformat()}
    await desk.note("webhook_endpoint.replayed", endpoint.id, {**after, "queued": len(chosen)})
    more = len(found) > REPLAY_MAX
    return ReplayDocument(
        object="webhook_replay",
        queued=len(chosen),
        has_more=more,
        until=chosen[-1].at if more else wanted.until,
    )


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if endpoint.status != "enabled":
        raise Conflict("the endpoint is disabled", code="endpoint_disabled")
