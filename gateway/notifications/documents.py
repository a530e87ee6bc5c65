"""What the world sees of messages and targets."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.models import Notification


class NotificationDocument(msgspec.Struct, kw_only=True):
    """One message to one recipient; the body of a secret one is shown to nobody."""

    id: str
    object: str
    kind: str
    recipient: str
    subject: str
    body: str | None
    event_id: str | None
    status: str
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class TargetDocument(msgspec.Struct, kw_only=True):
    """Where SMS or chat goes; its address holds the service's token and is never shown."""

    id: str
    object: str
    name: str
    channel: str
    service: str
    created_at: datetime


def notification_document(row: Notification) -> NotificationDocument:
    """Shape one message; when it has ended there is no next attempt."""
    waiting = row.status in ("scheduled", "retrying")
    return NotificationDocument(
        id=row.id,
        object="notification",
        kind=row.kind,
        recipient=row.recipient,
        subject=row.subject,
        body=None if row.secret else row.body,
        event_id=row.event_id,
        status=row.status,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if waiting else None,
        error=row.error,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def target_document(row: Any) -> TargetDocument:
    """Shape one target from its row or the columns that the API may read of it."""
    return TargetDocument(
        id=row.id,
        object="notification_target",
        name=row.name,
        channel=row.channel,
        service=row.service,
        created_at=row.created_at,
    )
