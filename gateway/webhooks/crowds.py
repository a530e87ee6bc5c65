"""Crowds: what cannot be sent yet makes room for what can.

A lease looks at the first `WINDOW` due deliveries of an endpoint and no further, so that nobody's
backlog makes it slow for everybody. Behind a head that waits for its retry, or in one long line,
those would all be of subjects whose turn it is not: where a window is full, these are put off.
"""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.webhooks import leases

BATCH = 256
"""Due deliveries of a crowded endpoint that are looked at in one round."""
ENDPOINTS_MAX = 16
"""Crowded endpoints that one round takes, any of them: none can keep the others waiting."""
LINE_MAX = 64
"""So many of one subject stay due."""
TURN = timedelta(milliseconds=10)
"""About what a delivery takes: the hundredth of a line is not looked at before as many were sent."""

# A follower comes due just behind the oldest of its subject that holds it, or when it may pass it.
# Behind one that is due already it stands in line, so that no head is outside the window for good.
_PUT_OFF = text(f"""
WITH RECURSIVE {leases.BUSY}, crowded AS (
    SELECT e.id FROM webhook_endpoint e
    WHERE e.id = ANY (ARRAY(SELECT endpoint_id FROM busy WHERE due_at <= :at))
      AND e.status = 'enabled' AND e.deleted_at IS NULL AND EXISTS (
        SELECT 1 FROM webhook_delivery d
        WHERE d.endpoint_id = e.id AND d.status IN ('scheduled', 'retrying')
          AND d.next_attempt_at <= :at
        ORDER BY d.next_attempt_at OFFSET :window - 1 LIMIT 1)
    ORDER BY random() LIMIT :endpoints
), looked AS (
    SELECT d.*, row_number() OVER (PARTITION BY d.endpoint_id, d.subject ORDER BY d.sequence, d.id) AS place
    FROM crowded c CROSS JOIN LATERAL (
        SELECT d.id, d.endpoint_id, d.subject, d.sequence, d.next_attempt_at, d.leased_until
        FROM webhook_delivery d
        WHERE d.endpoint_id = c.id AND d.status IN ('scheduled', 'retrying')
          AND d.next_attempt_at <= :at
        ORDER BY d.next_attempt_at LIMIT :batch) d
), put_off AS (
    SELECT l.id, greatest(
        CASE WHEN l.place > :line THEN :at + l.place * CAST(:turn AS interval) END,
        CASE WHEN o.attempts > 0 AND o.next_attempt_at > :at
            THEN least(o.next_attempt_at, o.created_at + CAST(:passable AS interval))
            ELSE o.next_attempt_at END
            + (l.sequence - o.sequence) * interval '1 microsecond') AS due
    FROM looked l LEFT JOIN LATERAL (
        SELECT o.sequence, o.next_attempt_at, o.created_at, o.attempts FROM webhook_delivery o
        WHERE o.endpoint_id = l.endpoint_id AND o.subject = l.subject
          AND o.sequence < l.sequence AND o.status IN ('scheduled', 'retrying')
          AND NOT (o.created_at <= :at - CAST(:passable AS interval) AND o.attempts > 0
                   AND o.next_attempt_at > :at + CAST(:soon AS interval))
        ORDER BY o.sequence LIMIT 1 OFFSET 0) o ON true
    WHERE l.leased_until IS NULL OR l.leased_until <= :at
), mine AS (
    SELECT d.id, p.due FROM put_off p JOIN webhook_delivery d ON d.id = p.id
    WHERE p.due > d.next_attempt_at
      AND d.status NOT IN ('succeeded', 'exhausted', 'skipped')
      AND (d.leased_until IS NULL OR d.leased_until <= :at)
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhook_delivery d SET next_attempt_at = mine.due FROM mine WHERE d.id = mine.id
""")  # noqa: S608 - of constants


async def put_off(session: AsyncSession, moment: Moment) -> int:
    """Put off what stands in the way at crowded endpoints; return how many deliveries."""
    moved = await session.execute(
        _PUT_OFF,
        {
            "at": moment.at,
            "window": leases.WINDOW,
            "endpoints": ENDPOINTS_MAX,
            "batch": BATCH,
            "line": LINE_MAX,
            "turn": TURN,
            "passable": leases.PASSABLE_AFTER,
            "soon": leases.SOON,
        },
    )
    return moved.rowcount  # type: ignore[attr-defined, no-any-return]  # a cursor's result
