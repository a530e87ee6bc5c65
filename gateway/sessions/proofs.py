"""Named queries for one-time tokens and what they open. Each function counts a token once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import OneTimeToken

VERIFY = "verify"
RESET = "reset"
_OWNER = text("SELECT * FROM token_owner(:hash, :purpose, :now)")
_CHANGE = text("SELECT change_password(:hash, :phc, :now)")
_RESET = text("SELECT * FROM reset_password(:hash, :phc, :now)")
_VERIFY = text("SELECT * FROM verify_email(:hash, :now)")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose token it is."""

    user_id: str
    email: str
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """The person that a token acted for."""

    user_id: str
    merchant_id: str | None


@dataclass(frozen=True, slots=True)
class Verified(Found):
    """The address of before, and the one that was proved."""

    before: str
    email: str


async def add(session: AsyncSession, values: dict[str, Any]) -> None:
    """Write a token of a person whom this transaction's tenant sees."""
    await session.execute(insert(OneTimeToken).values(**values))


async def owner(
    session: AsyncSession, token_hash: bytes, purpose: str, at: datetime
) -> Owner | None:
    """Return whose token this is, while it counts."""
    values = {"hash": token_hash, "purpose": purpose, "now": at}
    row = (await session.execute(_OWNER, values)).one_or_none()
    return (
        None if row is None else Owner(row.user_id, row.email, [row.email, row.username or ""])
    )


async def change_password(
    session: AsyncSession, session_hash: bytes, phc: str, at: datetime
) -> bool:
    """Set the password of a session's person; False where the session is over."""
    values = {"hash": session_hash, "phc": phc, "now": at}
    return await session.scalar(_CHANGE, values) is not None


async def reset_password(
    session: AsyncSession, token_hash: bytes, phc: str, at: datetime
) -> Found | None:
    """Spend a token and set the password; None where the token does not count."""
    values = {"hash": token_hash, "phc": phc, "now": at}
    row = (await session.execute(_RESET, values)).one_or_none()
    return None if row is None else Found(row.user_id, row.merchant_id)


async def verify_email(
    session: AsyncSession, token_hash: bytes, at: datetime
) -> Verified | None:
    """Spend a token and make its address the person's own; None where it does not count."""
    row = (await session.execute(_VERIFY, {"hash": token_hash, "now": at})).one_or_none()
    if row is None:
        return None
    return Verified(row.user_id, row.merchant_id, row.email_before, row.email)
