"""Named queries for messages and targets."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Row, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from gateway.domain.errors import NotFound
from gateway.models import Notification, NotificationTarget
from gateway.paging import PageRequest, Slice, newest_first

PERSON = "person"
"""The first word of every kind of letter about somebody's own account."""
FILTERS = {"kind": Notification.kind, "status": Notification.status}
_SHOWN = load_only(
    Notification.merchant_id, Notification.livemode, Notification.recipient,
    Notification.kind, Notification.subject, Notification.body, Notification.secret,
    Notification.event_id, Notification.status, Notification.attempts,
    Notification.next_attempt_at, Notification.error, Notification.created_at,
    Notification.ended_at, raiseload=True,
)  # fmt: skip
_TARGET = (
    NotificationTarget.id,
    NotificationTarget.name,
    NotificationTarget.channel,
    NotificationTarget.service,
    NotificationTarget.created_at,
)
"""What the API may read of a target: the address itself is the worker's."""
Target = Row[str, str, str, str, datetime]


async def message_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
    letters: bool,
) -> Slice[Notification]:
    """Return one page of the messages to a merchant's people, those of its mode or of none.

    With `letters` those to single persons about their accounts as well.
    """
    query = (
        select(Notification)
        .options(_SHOWN)
        .where(
            Notification.merchant_id == merchant_id,
            or_(Notification.livemode.is_(None), Notification.livemode == livemode),
        )
    )
    if not letters:
        query = query.where(Notification.kind.not_like(f"{PERSON}.%"))
    for name, value in wanted.items():
        query = query.where(FILTERS[name] == value)
    return await newest_first(session, query, Notification.id, page)


async def targets_of(session: AsyncSession, merchant_id: str) -> Sequence[Target]:
    """Return all of the merchant's targets, newest first."""
    query = (
        select(*_TARGET)
        .where(
            NotificationTarget.merchant_id == merchant_id,
            NotificationTarget.deleted_at.is_(None),
        )
        .order_by(NotificationTarget.id.desc())
    )
    return (await session.execute(query)).all()


async def target_of(session: AsyncSession, merchant_id: str, target_id: str) -> Target:
    """Return the merchant's target; raise `NotFound` where this caller has no such thing."""
    query = select(*_TARGET).where(
        NotificationTarget.id == target_id,
        NotificationTarget.merchant_id == merchant_id,
        NotificationTarget.deleted_at.is_(None),
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no notification target {target_id[:64]}")
    return row


async def has_target(session: AsyncSession, merchant_id: str, name: str) -> bool:
    """Tell whether the merchant has a target of this name."""
    found = await session.scalar(
        select(NotificationTarget.id).where(
            NotificationTarget.merchant_id == merchant_id,
            NotificationTarget.name == name,
            NotificationTarget.deleted_at.is_(None),
        )
    )
    return found is not None


async def target_count(session: AsyncSession, merchant_id: str) -> int:
    """Return how many targets the merchant has."""
    query = select(func.count(NotificationTarget.id)).where(
        NotificationTarget.merchant_id == merchant_id, NotificationTarget.deleted_at.is_(None)
    )
    return await session.scalar(query) or 0


async def is_waiting(
    session: AsyncSession, merchant_id: str, recipient: str, kind: str
) -> bool:
    """Tell whether such a message has not been sent and not failed yet."""
    found = await session.scalar(
        select(Notification.id)
        .where(
            Notification.merchant_id == merchant_id,
            Notification.recipient == recipient,
            Notification.kind == kind,
            Notification.status.in_(("scheduled", "retrying")),
        )
        .limit(1)
    )
    return found is not None
