"""The outbox: endpoints, events, deliveries."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey


class WebhookEndpoint(Table):
    """Where a merchant wants its events. Secrets are derived, never stored.

    Until `previous_until` the secret before the newest signs as well. Nothing that was sent
    there has arrived since `failing_since`, the first failure.
    """

    __tablename__ = "webhook_endpoint"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    url: Mapped[str]
    events: Mapped[list[str]]
    livemode: Mapped[bool]
    secret_version: Mapped[int]
    previous_until: Mapped[datetime | None]
    ed25519: Mapped[bool]
    api_version: Mapped[str]
    status: Mapped[str]
    exhausted_in_a_row: Mapped[int]
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Event(Table):
    """One thing that happened; `sequence` counts per subject, `feed` in the order of the feed."""

    __tablename__ = "event"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    type: Mapped[str]
    subject: Mapped[str]
    sequence: Mapped[int]
    livemode: Mapped[bool]
    api_version: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    feed: Mapped[int | None]


class WebhookDelivery(Table):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_delivery"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    endpoint_id: Mapped[str]
    event_id: Mapped[str]
    subject: Mapped[str]
    sequence: Mapped[int]
    status: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    response_status: Mapped[int | None]
    response_body: Mapped[str | None]
    error: Mapped[str | None]
    duration_ms: Mapped[int | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
