"""Named queries for keys in force, and for who made them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import ApiKey, User


async def keys_by(session: AsyncSession, maker: str, at: datetime) -> Sequence[ApiKey]:
    """Lock and return the keys of both modes in force that a person made, or keys of that person."""
    query = (
        select(ApiKey)
        .where(ApiKey.created_by == maker, ApiKey.merchant_id.is_not(None), _in_force(at))
        .order_by(ApiKey.id)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def made_with(session: AsyncSession, key_id: str) -> Sequence[ApiKey]:
    """Lock and return what is not revoked of the keys that were made with this one, and with those."""
    made = select(ApiKey.id).where(ApiKey.made_with == key_id).cte("made", recursive=True)
    made = made.union(select(ApiKey.id).where(ApiKey.made_with == made.c.id))
    query = (
        select(ApiKey)
        .where(ApiKey.id.in_(select(made.c.id)), ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.id)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def standing_count(
    session: AsyncSession, merchant_id: str | None, at: datetime, *, livemode: bool
) -> int:
    """Return how many keys of a merchant and mode are in force."""
    query = select(func.count()).where(
        ApiKey.merchant_id == merchant_id, ApiKey.livemode == livemode, _in_force(at)
    )
    return await session.scalar(query) or 0


def _in_force(at: datetime) -> ColumnElement[bool]:
    alive = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > at)
    return and_(ApiKey.revoked_at.is_(None), alive)


async def makers_of(session: AsyncSession, ids: Collection[str]) -> Sequence[User | ApiKey]:
    """Return the people and keys of this tenant with these ids, those who are gone too."""
    if not ids:
        return []
    people = await session.scalars(select(User).where(User.id.in_(ids)))
    keys = await session.scalars(select(ApiKey).where(ApiKey.id.in_(ids)))
    return [*people, *keys]
