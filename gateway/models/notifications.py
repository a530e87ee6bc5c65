"""Messages to people, where merchants get theirs, and up to where people were told."""

from datetime import datetime

from sqlalchemy.orm import Mapped

from gateway.models.columns import Table, TextKey


class Notification(Table):
    """One message to one recipient: an e-mail address, or the name of a merchant's target.

    `body` is null where the message is `secret`: it is in `sealed` then, until it was sent.
    `livemode` is null where it concerns both modes.
    """

    __tablename__ = "notification"
    id: Mapped[TextKey]
    merchant_id: Mapped[str | None]
    livemode: Mapped[bool | None]
    recipient: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str | None]
    sealed: Mapped[bytes | None]
    secret: Mapped[bool]
    event_id: Mapped[str | None]
    status: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class NotificationTarget(Table):
    """Where a merchant gets SMS or chat; `sealed` holds the service's address with its token."""

    __tablename__ = "notification_target"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    name: Mapped[str]
    channel: Mapped[str]
    service: Mapped[str]
    sealed: Mapped[bytes | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class NotificationCursor(Table):
    """Up to which place people were told of the `feed`, and of the `audit` log."""

    __tablename__ = "notification_cursor"
    source: Mapped[TextKey]
    place: Mapped[int]
