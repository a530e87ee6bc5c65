"""What the world sees of endpoints, events and deliveries."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.models import Event, WebhookDelivery, WebhookEndpoint

RESPONSE_SHOWN = 1024
"""Characters of a receiver's answer that its merchant gets to read."""


class EndpointDocument(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where events go.

    Nothing that was sent there has arrived since `failing_since`.

    `secret` (and `public_key`, where `v1a` signatures are wanted) is there in the answer to its
    creation and to a rotation only; until `previous_secret_until` the one before signs as well.
    """

    id: str
    object: str
    url: str
    events: list[str]
    status: str
    api_version: str
    livemode: bool
    secret_version: int
    ed25519: bool
    created_at: datetime
    previous_secret_until: datetime | None = None
    failing_since: datetime | None = None
    secret: str | None = None
    public_key: str | None = None


class EventDocument(msgspec.Struct, kw_only=True):
    """One event: the body of its webhook, byte for byte, and what the feed answers.

    `data.object` is the whole subject as it was then; `sequence` counts per subject, so a
    receiver can drop what is older than what it knows.
    """

    id: str
    object: str
    type: str
    timestamp: datetime
    api_version: str
    livemode: bool
    merchant_id: str
    subject: str
    sequence: int
    data: dict[str, Any]


class ReplayDocument(msgspec.Struct, kw_only=True):
    """What a replay queued; `has_more` where its range holds more than one call takes."""

    object: str
    queued: int
    has_more: bool
    until: datetime


class DeliveryDocument(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One event on its way to one endpoint; `request_body` is shown with a single one."""

    id: str
    object: str
    endpoint_id: str
    event_id: str
    event_type: str
    subject: str
    sequence: int
    status: str
    attempts: int
    next_attempt_at: datetime | None
    response_status: int | None
    response_body: str | None
    error: str | None
    duration_ms: int | None
    created_at: datetime
    ended_at: datetime | None
    request_body: str | None = None


def endpoint_document(
    endpoint: WebhookEndpoint, *, secret: str | None = None, public_key: str | None = None
) -> EndpointDocument:
    """Shape one endpoint."""
    return EndpointDocument(
        id=endpoint.id,
        object="webhook_endpoint",
        url=endpoint.url,
        events=list(endpoint.events),
        status=endpoint.status,
        api_version=endpoint.api_version,
        livemode=endpoint.livemode,
        secret_version=endpoint.secret_version,
        ed25519=endpoint.ed25519,
        created_at=endpoint.created_at,
        previous_secret_until=endpoint.previous_until,
        failing_since=endpoint.failing_since,
        secret=secret,
        public_key=public_key,
    )


def event_document(event: Event) -> EventDocument:
    """Shape one event, as its webhook carries it."""
    return EventDocument(
        id=event.id,
        object="event",
        type=event.type,
        timestamp=event.at,
        api_version=event.api_version,
        livemode=event.livemode,
        merchant_id=event.merchant_id,
        subject=event.subject,
        sequence=event.sequence,
        data=event.data,
    )


def delivery_document(
    delivery: WebhookDelivery, event_type: str, *, request_body: str | None = None
) -> DeliveryDocument:
    """Shape one delivery; when it has ended there is no next attempt."""
    waiting = delivery.status in ("scheduled", "retrying")
    answer = delivery.response_body
    return DeliveryDocument(
        id=delivery.id,
        object="webhook_delivery",
        endpoint_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        event_type=event_type,
        subject=delivery.subject,
        sequence=delivery.sequence,
        status=delivery.status,
        attempts=delivery.attempts,
        next_attempt_at=delivery.next_attempt_at if waiting else None,
        response_status=delivery.response_status,
        response_body=None if answer is None else answer[:RESPONSE_SHOWN],
        error=delivery.error,
        duration_ms=delivery.duration_ms,
        created_at=delivery.created_at,
        ended_at=delivery.ended_at,
        request_body=request_body,
    )
