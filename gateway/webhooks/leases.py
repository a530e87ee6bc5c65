"""The queue of deliveries in the database: lease what is due, skip what nobody wants.

A lease is a short transaction that marks rows until a point in time; no row is locked while
HTTP runs. Whoever dies with a lease loses it when it runs out, and the event is sent again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import Database
from gateway.domain.moment import Moment
from gateway.webhooks.delivery import Delivery
from gateway.webhooks.documents import EventDocument
from gateway.webhooks.signing import body_of

PASSABLE_AFTER = timedelta(hours=1)
"""From this age on an event that waits for its retry lets younger ones of its subject pass."""
SOON = timedelta(seconds=3)
"""An old one whose retry is as near as this still goes first: `crowds` puts off by less."""
WINDOW = 128
"""Due deliveries of one endpoint that a lease looks at, so that none of them makes it slow."""
SKIP_BATCH = 1000
AT_ONCE_MIN = 4
"""So many of one endpoint are looked at for a lease, however many endpoints share it."""
_ID = itemgetter(0)

BUSY = """busy (endpoint_id, due_at) AS (
    SELECT CAST('' AS text), CAST(NULL AS timestamptz)
    UNION ALL
    SELECT n.endpoint_id, n.next_attempt_at FROM busy b CROSS JOIN LATERAL (
        SELECT d.endpoint_id, d.next_attempt_at FROM webhook_delivery d
        WHERE d.endpoint_id > b.endpoint_id AND d.status IN ('scheduled', 'retrying')
        ORDER BY d.endpoint_id, d.next_attempt_at LIMIT 1) n
)"""
"""Endpoints with anything that waits and when its first comes due, by a step in the index for each:
of those that have nothing there may be many thousands. For `WITH RECURSIVE`.
"""

# One delivery per (endpoint, subject) at a time, lowest sequence first. An old one that sleeps
# until its retry does not hold back the others; an old one that is due still goes first.
# Each endpoint is asked for its own few by index, and for no more than a window of them: neither a
# backlog nor those whose turn has not come cost anybody else anything. `crowds` clears the window.
# Its few are twice its part of what is wanted: mostly each has so many, and no more are looked at.
# OFFSET 0 keeps the planner from answering NOT EXISTS by hashing the whole queue, the order by
# sequence from looking through all that waits at the endpoint instead of through the subject, the
# arrays of ids from reading the whole queue to find the chosen ones in it.
_LEASE = f"""
WITH RECURSIVE {BUSY}, asked AS (
    SELECT e.id, e.merchant_id, coalesce(CAST(b.room AS integer), %(each)s) AS room,
        least(%(wanted)s / count(*) OVER (), coalesce(CAST(m.room AS integer), %(per_merchant)s)
              / count(*) OVER (PARTITION BY e.merchant_id)) AS part
    FROM webhook_endpoint e
    LEFT JOIN json_each_text(CAST(%(rooms)s AS json)) AS b (endpoint_id, room)
        ON b.endpoint_id = e.id
    LEFT JOIN json_each_text(CAST(%(merchant_rooms)s AS json)) AS m (merchant_id, room)
        ON m.merchant_id = e.merchant_id
    WHERE e.id = ANY (ARRAY(SELECT endpoint_id FROM busy WHERE due_at <= %(at)s))
      AND e.status = 'enabled' AND e.deleted_at IS NULL
      AND coalesce(CAST(b.room AS integer), %(each)s) > 0
      AND coalesce(CAST(m.room AS integer), %(per_merchant)s) > 0
      AND NOT EXISTS (SELECT 1 FROM merchant m
                      WHERE m.id = e.merchant_id AND m.deleted_at IS NOT NULL)
), candidate AS (
    SELECT d.id, d.next_attempt_at, e.merchant_id,
           row_number() OVER (PARTITION BY e.id ORDER BY d.next_attempt_at) AS place
    FROM asked e CROSS JOIN LATERAL (
        SELECT d.id, d.next_attempt_at FROM (
            SELECT * FROM webhook_delivery d
            WHERE d.endpoint_id = e.id
              AND d.status IN ('scheduled', 'retrying') AND d.next_attempt_at <= %(at)s
            ORDER BY d.next_attempt_at LIMIT %(window)s) d
        WHERE (d.leased_until IS NULL OR d.leased_until <= %(at)s)
          AND NOT EXISTS (
              SELECT 1 FROM webhook_delivery o
              WHERE o.endpoint_id = d.endpoint_id AND o.subject = d.subject AND o.id <> d.id
                AND o.status IN ('scheduled', 'retrying')
                AND (o.leased_until > %(at)s
                     OR (o.sequence < d.sequence
                         AND NOT (o.created_at <= %(passable)s AND o.attempts > 0
                                  AND o.next_attempt_at > %(soon)s)))
              ORDER BY o.sequence LIMIT 1 OFFSET 0)
        ORDER BY d.next_attempt_at LIMIT least(e.room, greatest(2 * e.part, {AT_ONCE_MIN}))
    ) d
), turned AS (
    SELECT c.*, row_number() OVER (PARTITION BY merchant_id ORDER BY place, next_attempt_at) AS turn
    FROM candidate c
), chosen AS (
    SELECT t.id FROM turned t
    LEFT JOIN json_each_text(CAST(%(merchant_rooms)s AS json)) AS m (merchant_id, room)
        ON m.merchant_id = t.merchant_id
    WHERE t.turn <= coalesce(CAST(m.room AS integer), %(per_merchant)s)
    ORDER BY t.turn, t.next_attempt_at LIMIT %(wanted)s
), mine AS (
    SELECT d.id FROM webhook_delivery d
    WHERE d.id = ANY (ARRAY(SELECT id FROM chosen))
      AND d.status NOT IN ('succeeded', 'exhausted', 'skipped')
      AND (d.leased_until IS NULL OR d.leased_until <= %(at)s)
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhook_delivery d SET leased_until = %(until)s
FROM event v, webhook_endpoint e
WHERE d.id = ANY (ARRAY(SELECT id FROM mine)) AND v.id = d.event_id AND e.id = d.endpoint_id
RETURNING d.id, d.endpoint_id, d.merchant_id, e.url, e.secret_version,
    coalesce(e.previous_until > %(at)s, false), e.ed25519, d.event_id, v.type, d.subject,
    d.sequence, v.livemode, d.attempts,
    EXISTS (SELECT 1 FROM webhook_delivery o
            WHERE o.endpoint_id = d.endpoint_id AND o.subject = d.subject
              AND o.sequence < d.sequence AND o.status IN ('scheduled', 'retrying')
            ORDER BY o.sequence LIMIT 1 OFFSET 0),
    v.at, v.api_version, CAST(v.data AS text)
"""  # noqa: S608 - of constants

_SKIP = text("""
UPDATE webhook_delivery SET status = 'skipped', ended_at = :at, error = 'the endpoint is disabled'
WHERE id IN (
    SELECT d.id FROM webhook_endpoint e JOIN webhook_delivery d ON d.endpoint_id = e.id
    WHERE (e.status = 'disabled' OR e.deleted_at IS NOT NULL
           OR e.merchant_id IN (SELECT id FROM merchant WHERE deleted_at IS NOT NULL))
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
    database: Database,
    moment: Moment,
    *,
    until: datetime,
    wanted: int,
    shares: Shares,
) -> list[Delivery]:
    """Take up to `wanted` due deliveries until `until`, merchant by merchant in turn.

    What was made first comes first. It is one statement and a transaction of its own: the rows
    are locked no longer than it runs.
    """
    rows = await database.ask(
        _LEASE,
        {
            "at": moment.at,
            "until": until,
            "passable": moment.at - PASSABLE_AFTER,
            "soon": moment.at + SOON,
            "window": WINDOW,
            "rooms": msgspec.json.encode(shares.rooms).decode(),
            "each": shares.each,
            "merchant_rooms": msgspec.json.encode(shares.merchant_rooms).decode(),
            "per_merchant": shares.per_merchant,
            "wanted": wanted,
        },
    )
    bodies: dict[str, bytes] = {}
    return [_delivery(row, until, bodies) for row in sorted(rows, key=_ID)]


def _delivery(row: Sequence[Any], until: datetime, bodies: dict[str, bytes]) -> Delivery:
    """Shape a row of `_LEASE`; an event for several endpoints is written out once."""
    *own, at, api_version, data = row
    own.append(until)
    delivery = Delivery(*own)
    event_id = delivery.event_id
    if event_id not in bodies:
        document = EventDocument(
            id=event_id,
            object="event",
            type=delivery.type,
            timestamp=at,
            api_version=api_version,
            livemode=delivery.livemode,
            merchant_id=delivery.merchant_id,
            subject=delivery.subject,
            sequence=delivery.sequence,
            data={},
        )
        bodies[event_id] = body_of(document, data)
    return msgspec.structs.replace(delivery, body=bodies[event_id])


async def skip_unwanted(session: AsyncSession, moment: Moment) -> int:
    """End due deliveries of endpoints that are disabled or deleted, or whose merchant is."""
    skipped = await session.execute(_SKIP, {"at": moment.at, "batch": SKIP_BATCH})
    return skipped.rowcount  # type: ignore[attr-defined, no-any-return]  # a cursor's result
