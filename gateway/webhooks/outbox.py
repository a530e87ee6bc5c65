"""The transactional outbox: an event is written in the transaction that changed its subject."""

from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import as_json, notify, send_later
from gateway.domain.moment import CROCKFORD, Moment
from gateway.models import Event, WebhookDelivery, WebhookEndpoint

API_VERSION = "2026-11-20"
DELIVERIES_CHANNEL = "webhook_deliveries"
_TELL = """
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    VALUES (%(id)s, %(merchant_id)s, %(type)s, %(subject)s, next_sequence(%(subject)s), %(livemode)s, %(version)s,
        %(data)s, %(at)s)
    RETURNING sequence
"""
# Nothing is looked for that cannot be there.
_TELL_FIRST = """
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    VALUES (%(id)s, %(merchant_id)s, %(type)s, %(subject)s, 1, %(livemode)s, %(version)s, %(data)s, %(at)s)
    RETURNING sequence
"""
# One statement: an event comes with nearly every change, and each round trip costs as much.
_QUEUE = f""", wanted AS (
    SELECT id, CAST(row_number() OVER (ORDER BY id) AS integer) AS place FROM webhook_endpoint
    WHERE merchant_id = %(merchant_id)s AND status = 'enabled' AND deleted_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM merchant WHERE id = %(merchant_id)s AND deleted_at IS NOT NULL)
        AND CASE WHEN CAST(%(only_to)s AS text) IS NULL
            THEN livemode = %(livemode)s AND events && ARRAY['*', %(type)s] ELSE id = %(only_to)s END
    ORDER BY id LIMIT {len(CROCKFORD)}
), queued AS (
    INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence, status,
        attempts, next_attempt_at, created_at)
    SELECT %(stem)s || substr('{CROCKFORD}', wanted.place, 1), %(merchant_id)s, wanted.id, %(id)s, %(subject)s,
        told.sequence, 'scheduled', 0, %(at)s, %(at)s
    FROM told, wanted
    RETURNING 1
)
SELECT pg_notify(%(channel)s, '') FROM (SELECT 1 FROM queued LIMIT 1) AS any_of_them
"""  # noqa: S608 - digits, more than a merchant has endpoints (20)
_EMIT = f"WITH told AS ({_TELL}){_QUEUE}"
_EMIT_FIRST = f"WITH told AS ({_TELL_FIRST}){_QUEUE}"


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
    first: bool = False,
) -> str:
    """Write the event and one delivery per endpoint that wants it; wake the sender; return its id.

    `only_to` names one endpoint that gets it whatever it subscribed to. `first` says that the
    subject was made just now and has no event yet.

    The caller holds the subject's row lock, so `sequence` counts without gaps; the unique
    constraint on (subject, sequence) refuses anybody who does not.
    """
    event_id = moment.id("evt")
    values = {
        "id": event_id,
        "merchant_id": merchant_id,
        "type": type_,
        "subject": subject,
        "livemode": livemode,
        "version": API_VERSION,
        "data": as_json(data),
        "at": moment.at,
        "only_to": only_to,
        "stem": moment.id("whd")[:-1],
        "channel": DELIVERIES_CHANNEL,
    }
    await send_later(session, _EMIT_FIRST if first else _EMIT, values)
    return event_id


async def forgive(session: AsyncSession, endpoint_id: str) -> None:
    """Let senders forget what failed at an endpoint that was repaired, when this commits."""
    await notify(session, DELIVERIES_CHANNEL, endpoint_id)


async def queue(
    session: AsyncSession, moment: Moment, event: Event, endpoint: WebhookEndpoint
) -> str:
    """Write one more delivery of an event; wake the sender; return its id."""
    delivery_id = moment.id("whd")
    await session.execute(
        insert(WebhookDelivery).values(
            id=delivery_id,
            merchant_id=event.merchant_id,
            endpoint_id=endpoint.id,
            event_id=event.id,
            subject=event.subject,
            sequence=event.sequence,
            status="scheduled",
            attempts=0,
            next_attempt_at=moment.at,
            created_at=moment.at,
        )
    )
    await notify(session, DELIVERIES_CHANNEL, "")
    return delivery_id
