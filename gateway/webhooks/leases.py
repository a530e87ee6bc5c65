"""The queue of deliveries in the database: lease what is due, settle what was tried.

A lease is a short transaction that marks rows until a point in time; no row is locked while
HTTP runs. Whoever dies with a lease loses it when it runs out, and the event is sent again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.webhooks.delivery import Delivery, Tried
from gateway.webhooks.documents import EventDocument
from gateway.webhooks.failing import judge_endpoints
from gateway.webhooks.signing import body_of

PASSABLE_AFTER = timedelta(hours=1)
"""From this age on an event that waits for its retry lets younger ones of its subject pass."""
SKIP_BATCH = 1000


# One delivery per (endpoint, subject) at a time, lowest sequence first. An old one that sleeps
# until its retry does not hold back the others; an old one that is due still goes first.
# Each endpoint is asked for its own few by index, so a backlog costs nobody else anything;
# OFFSET 0 keeps the planner from answering NOT EXISTS by hashing the whole queue.
_LEASE = text("""
WITH candidate AS (
    SELECT d.id, d.next_attempt_at, e.merchant_id,
           row_number() OVER (PARTITION BY e.id ORDER BY d.next_attempt_at) AS place
    FROM webhook_endpoint e
    LEFT JOIN unnest(CAST(:busy AS text[]), CAST(:rooms AS integer[])) AS b (endpoint_id, room)
        ON b.endpoint_id = e.id
    CROSS JOIN LATERAL (
        SELECT d.id, d.next_attempt_at FROM webhook_delivery d
        WHERE d.endpoint_id = e.id
          AND d.status IN ('scheduled', 'retrying') AND d.next_attempt_at <= :at
          AND (d.leased_until IS NULL OR d.leased_until <= :at)
          AND NOT EXISTS (
              SELECT 1 FROM webhook_delivery o
              WHERE o.endpoint_id = d.endpoint_id AND o.subject = d.subject AND o.id <> d.id
                AND o.status IN ('scheduled', 'retrying')
                AND (o.leased_until > :at
                     OR (o.sequence < d.sequence
                         AND NOT (o.created_at <= :passable AND o.attempts > 0
                                  AND o.next_attempt_at > :at)))
              OFFSET 0)
        ORDER BY d.next_attempt_at LIMIT greatest(coalesce(b.room, :each), 0)
    ) d
    WHERE e.status = 'enabled' AND e.deleted_at IS NULL
), turned AS (
    SELECT c.*, row_number() OVER (PARTITION BY merchant_id ORDER BY place, next_attempt_at) AS turn
    FROM candidate c
), chosen AS (
    SELECT t.id FROM turned t
    LEFT JOIN unnest(CAST(:busy_merchants AS text[]), CAST(:merchant_rooms AS integer[]))
        AS m (merchant_id, room) ON m.merchant_id = t.merchant_id
    WHERE t.turn <= coalesce(m.room, :per_merchant)
    ORDER BY t.turn, t.next_attempt_at LIMIT :wanted
), mine AS (
    SELECT d.id FROM webhook_delivery d JOIN chosen USING (id)
    WHERE d.status IN ('scheduled', 'retrying')
      AND (d.leased_until IS NULL OR d.leased_until <= :at)
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhook_delivery d SET leased_until = :until
FROM mine, event v, webhook_endpoint e
WHERE d.id = mine.id AND v.id = d.event_id AND e.id = d.endpoint_id
RETURNING d.id, d.endpoint_id, d.merchant_id, d.event_id, d.subject, d.sequence, d.attempts,
    d.leased_until, e.url, e.secret_version, e.ed25519,
    coalesce(e.previous_until > :at, false) AS previous_signs, v.type, v.livemode, v.api_version, v.data, v.at,
    EXISTS (SELECT 1 FROM webhook_delivery o
            WHERE o.endpoint_id = d.endpoint_id AND o.subject = d.subject
              AND o.sequence < d.sequence AND o.status IN ('scheduled', 'retrying')) AS passed
""")

# A lease that ran out belongs to somebody else: its result is dropped.
_RECORD = text("""
UPDATE webhook_delivery d
SET status = r.status, attempts = d.attempts + 1, leased_until = NULL,
    next_attempt_at = coalesce(r.next_attempt_at, d.next_attempt_at),
    response_status = r.response_status, response_body = r.response_body, error = r.error,
    duration_ms = r.duration_ms,
    ended_at = CASE WHEN r.status = 'retrying' THEN NULL ELSE CAST(:at AS timestamptz) END
FROM unnest(CAST(:ids AS text[]), CAST(:leases AS timestamptz[]), CAST(:statuses AS text[]),
            CAST(:nexts AS timestamptz[]), CAST(:codes AS integer[]), CAST(:bodies AS text[]),
            CAST(:errors AS text[]), CAST(:durations AS integer[]))
    AS r (id, leased_until, status, next_attempt_at, response_status, response_body, error,
          duration_ms)
WHERE d.id = r.id AND d.leased_until = r.leased_until AND d.status IN ('scheduled', 'retrying')
RETURNING d.id
""")

# Receivers act on what comes last: an older event is never sent after a younger one arrived.
_SUPERSEDE = text("""
UPDATE webhook_delivery d
SET status = 'skipped', ended_at = :at, error = 'a newer event of this subject was delivered'
FROM unnest(CAST(:endpoints AS text[]), CAST(:subjects AS text[]), CAST(:sequences AS integer[]))
    AS r (endpoint_id, subject, sequence)
WHERE d.endpoint_id = r.endpoint_id AND d.subject = r.subject AND d.sequence < r.sequence
  AND d.status IN ('scheduled', 'retrying')
""")

_SKIP = text("""
UPDATE webhook_delivery SET status = 'skipped', ended_at = :at, error = 'the endpoint is disabled'
WHERE id IN (
    SELECT d.id FROM webhook_endpoint e JOIN webhook_delivery d ON d.endpoint_id = e.id
    WHERE (e.status = 'disabled' OR e.deleted_at IS NOT NULL)
      AND d.status IN ('scheduled', 'retrying') AND d.next_attempt_at <= :at
      AND (d.leased_until IS NULL OR d.leased_until <= :at)
    LIMIT :batch FOR UPDATE OF d SKIP LOCKED)
""")


@dataclass(frozen=True, slots=True)
class Shares:
    """How many may be taken: `each` per endpoint, `per_merchant`; fewer where some are in flight.

    `rooms` and `merchant_rooms` say how many more those endpoints and merchants may take.
    """

    each: int
    rooms: Mapping[str, int]
    per_merchant: int
    merchant_rooms: Mapping[str, int]


async def lease(
    session: AsyncSession,
    moment: Moment,
    *,
    until: datetime,
    wanted: int,
    shares: Shares,
) -> list[Delivery]:
    """Take up to `wanted` due deliveries until `until`, merchant by merchant in turn."""
    rows = await session.execute(
        _LEASE,
        {
            "at": moment.at,
            "until": until,
            "passable": moment.at - PASSABLE_AFTER,
            "busy": list(shares.rooms),
            "rooms": list(shares.rooms.values()),
            "each": shares.each,
            "busy_merchants": list(shares.merchant_rooms),
            "merchant_rooms": list(shares.merchant_rooms.values()),
            "per_merchant": shares.per_merchant,
            "wanted": wanted,
        },
    )
    return [_delivery(row) for row in rows]


def _delivery(row: Row[tuple[object, ...]]) -> Delivery:
    document = EventDocument(
        id=row.event_id,
        object="event",
        type=row.type,
        timestamp=row.at,
        api_version=row.api_version,
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        subject=row.subject,
        sequence=row.sequence,
        data=row.data,
    )
    return Delivery(
        id=row.id,
        endpoint_id=row.endpoint_id,
        merchant_id=row.merchant_id,
        url=row.url,
        secret_version=row.secret_version,
        previous_signs=row.previous_signs,
        ed25519=row.ed25519,
        event_id=row.event_id,
        type=row.type,
        subject=row.subject,
        sequence=row.sequence,
        livemode=row.livemode,
        attempts=row.attempts,
        leased_until=row.leased_until,
        passed=row.passed,
        body=body_of(document),
    )


async def settle(session: AsyncSession, tried: Sequence[Tried], moment: Moment) -> list[str]:
    """Write what came of a batch; return the ids of endpoints that were disabled by it."""
    settled = await _record(session, tried, moment)
    mine = [each for each in tried if each.delivery.id in settled]
    await _supersede(session, mine, moment)
    return await judge_endpoints(session, mine, moment)


async def skip_unwanted(session: AsyncSession, moment: Moment) -> int:
    """End due deliveries of endpoints that were disabled or deleted; return how many."""
    skipped = await session.execute(_SKIP, {"at": moment.at, "batch": SKIP_BATCH})
    return skipped.rowcount  # type: ignore[attr-defined, no-any-return]  # a cursor's result


async def _record(session: AsyncSession, tried: Sequence[Tried], moment: Moment) -> set[str]:
    rows = await session.scalars(
        _RECORD,
        {
            "at": moment.at,
            "ids": [each.delivery.id for each in tried],
            "leases": [each.delivery.leased_until for each in tried],
            "statuses": [each.verdict.status for each in tried],
            "nexts": [each.verdict.next_attempt_at for each in tried],
            "codes": [each.answer.status for each in tried],
            "bodies": [each.answer.body for each in tried],
            "errors": [each.answer.error for each in tried],
            "durations": [each.answer.milliseconds for each in tried],
        },
    )
    return set(rows)


async def _supersede(session: AsyncSession, tried: Sequence[Tried], moment: Moment) -> None:
    arrived = [
        each.delivery
        for each in tried
        if each.delivery.passed and each.verdict.status == "succeeded"
    ]
    if arrived:
        await session.execute(
            _SUPERSEDE,
            {
                "at": moment.at,
                "endpoints": [delivery.endpoint_id for delivery in arrived],
                "subjects": [delivery.subject for delivery in arrived],
                "sequences": [delivery.sequence for delivery in arrived],
            },
        )
