"""The transactional outbox: an event is written in the transaction that changed its subject."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import notify
from gateway.domain.moment import Moment
from gateway.models import Event, WebhookDelivery, WebhookEndpoint

API_VERSION = "2026-11-20"
DELIVERIES_CHANNEL = "webhook_deliveries"


async def emit(
    session: AsyncSession,
    moment: Moment,
    *,
    type_: str,
    merchant_id: str,
    livemode: bool,
    subject: str,
    data: dict[str, Any],
    only_to: str | None = None,
) -> str:
    """Write the event and one delivery per endpoint that wants it; return the event's id.

    `only_to` names one endpoint that gets it whatever it subscribed to.

    The caller holds the subject's row lock, so `sequence` counts without gaps; the unique
    constraint on (subject, sequence) refuses anybody who does not.
    """
    sequence = 1 + await _last_sequence(session, subject)
    event_id = moment.id("evt")
    await session.execute(
        insert(Event).values(
            id=event_id,
            merchant_id=merchant_id,
            type=type_,
            subject=subject,
            sequence=sequence,
            livemode=livemode,
            api_version=API_VERSION,
            data=data,
            at=moment.at,
        )
    )
    delivery = {
        "merchant_id": merchant_id,
        "event_id": event_id,
        "subject": subject,
        "sequence": sequence,
    }
    wanted: ColumnElement[bool] = (
        and_(WebhookEndpoint.events.overlap(["*", type_]), WebhookEndpoint.livemode == livemode)
        if only_to is None
        else WebhookEndpoint.id == only_to
    )
    await queue(session, moment, delivery, wanted)
    return event_id


async def queue(
    session: AsyncSession,
    moment: Moment,
    delivery: Mapping[str, Any],
    wanted: ColumnElement[bool],
) -> list[str]:
    """Write one delivery per enabled endpoint of the merchant that is wanted; wake the sender.

    `delivery` names merchant, event, subject and sequence. Returns the deliveries' ids.
    """
    endpoints = await session.scalars(
        select(WebhookEndpoint.id).where(
            WebhookEndpoint.merchant_id == delivery["merchant_id"],
            WebhookEndpoint.status == "enabled",
            WebhookEndpoint.deleted_at.is_(None),
            wanted,
        )
    )
    rows = [
        {
            **delivery,
            "id": moment.id("whd"),
            "endpoint_id": endpoint_id,
            "status": "scheduled",
            "attempts": 0,
            "next_attempt_at": moment.at,
            "created_at": moment.at,
        }
        for endpoint_id in endpoints
    ]
    if rows:
        await session.execute(insert(WebhookDelivery), rows)
        await notify(session, DELIVERIES_CHANNEL, "")
    return [row["id"] for row in rows]


async def _last_sequence(session: AsyncSession, subject: str) -> int:
    highest = await session.scalar(
        select(func.max(Event.sequence)).where(Event.subject == subject)
    )
    return highest or 0
