"""The feed: events in the order in which they became visible, for receivers that poll.

A place is given after commit, by one transaction at a time, so nothing ever appears behind a
place that somebody has read already.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

BATCH = 5000
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('event_feed'))")
_PLACE = text("""
WITH unplaced AS (
    SELECT id, position FROM event WHERE feed IS NULL ORDER BY position LIMIT :batch
), placed AS (
    SELECT id, nextval('event_feed') AS feed FROM (SELECT id FROM unplaced ORDER BY position) o
)
UPDATE event e SET feed = placed.feed FROM placed WHERE placed.id = e.id
""")


async def place_events(session: AsyncSession) -> bool:
    """Give places to what was committed since; return whether there may be more.

    The caller commits at once: until then whoever else places events waits.
    """
    await session.execute(_ONE_AT_A_TIME)
    placed = await session.execute(_PLACE, {"batch": BATCH})
    return bool(placed.rowcount == BATCH)  # type: ignore[attr-defined]  # a cursor's result
