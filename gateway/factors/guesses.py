"""How long somebody waits who guesses at a person's codes, from wherever.

Six digits would not last against many addresses at once, so the person alone is counted. Only
who has the password gets this far; the wait ends, and a passkey does not wait.
"""

import hashlib
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.sessions import throttle

FREE = 5


async def count(session: AsyncSession, user_id: str, at: datetime) -> None:
    """Count one guess before it is looked at; refuse one that comes too early."""
    await throttle.count_one(session, _name(user_id), FREE, at)


async def forgive(session: AsyncSession, user_id: str) -> None:
    """Forget the guesses at this person: it was the right one."""
    await throttle.forget_all(session, _name(user_id))


def _name(user_id: str) -> bytes:
    return hashlib.sha256(f"second-factor\n{user_id}".encode()).digest()
