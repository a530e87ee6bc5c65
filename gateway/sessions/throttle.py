"""How long somebody waits who guesses: per account with address, and per address.

A stranger can delay nobody but himself: the account alone is never locked. What is counted has a
hashed name, so the table tells no address; one of IPv6 is its /64, which one line usually has.
"""

import hashlib
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import TooMany
from gateway.domain.places import place_of

FREE_OF_ACCOUNT = 5
FREE_OF_ADDRESS = 30
_COUNT = text("SELECT count_attempt(:name, :free, :now)")
_FORGIVE = text("SELECT forgive_attempt(:name, :every)")


async def count(
    session: AsyncSession, deed: str, account: str, address: str | None, at: datetime
) -> None:
    """Count one attempt at `deed` before it is looked at; refuse one that comes too early."""
    of_address, of_account = names(deed, account, address)
    await count_one(session, of_address, FREE_OF_ADDRESS, at)
    await count_one(session, of_account, FREE_OF_ACCOUNT, at)


async def count_one(session: AsyncSession, name: bytes, free: int, at: datetime) -> None:
    """Count one attempt under a name, of which `free` cost no wait; refuse one that comes too early."""
    wait = await session.scalar(_COUNT, {"name": name, "free": free, "now": at})
    if wait:
        raise TooMany(
            "too many attempts: wait a little",
            code="attempts_delayed",
            retry_after_seconds=int(wait),
        )


async def forgive(session: AsyncSession, deed: str, account: str, address: str | None) -> None:
    """Forget the attempts at this account from here, and this one of the address."""
    of_address, of_account = names(deed, account, address)
    await session.execute(_FORGIVE, {"name": of_address, "every": False})
    await forget_all(session, of_account)


async def forget_all(session: AsyncSession, name: bytes) -> None:
    """Forget every attempt under a name."""
    await session.execute(_FORGIVE, {"name": name, "every": True})


def names(deed: str, account: str, address: str | None) -> tuple[bytes, bytes]:
    """Return the names of both counters: the address's and the account's from there."""
    place = f"{deed}\n{place_of(address)}"
    return _name(place), _name(f"{place}\n{account.lower()}")


def _name(text_: str) -> bytes:
    return hashlib.sha256(text_.encode()).digest()
