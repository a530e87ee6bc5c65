"""How long somebody waits who guesses at a person's codes, from wherever.

Six digits would not last against many addresses at once, so the person alone is counted. Only
who has the password gets this far; the wait ends, and a passkey does not wait.
"""

import hashlib
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import TooMany

FREE = 5
_COUNT = text("SELECT count_attempt(:name, :free, :now)")
_FORGIVE = text("SELECT forgive_attempt(:name, true)")


async def count(session: AsyncSession, user_id: str, at: datetime) -> None:
    """Count one guess before it is looked at; refuse one that comes too early."""
    values = {"name": _name(user_id), "free": FREE, "now": at}
    wait = await session.scalar(_COUNT, values)
    if wait:
        raise TooMany(
            "too many attempts: wait a little",
            code="attempts_delayed",
            retry_after_seconds=int(wait),
        )


async def forgive(session: AsyncSession, user_id: str) -> None:
    """Forget the guesses at this person: it was the right one."""
    await session.execute(_FORGIVE, {"name": _name(user_id)})


def _name(user_id: str) -> bytes:
    return hashlib.sha256(f"second-factor\n{user_id}".encode()).digest()
