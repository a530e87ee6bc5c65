"""Named queries for API keys."""

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gateway.domain.actor import Actor, Budget
from gateway.models import ApiKey
from gateway.paging import PageRequest, Slice, newest_first

_AUTHENTICATE = text("SELECT * FROM authenticate_key(:hash, :now, :quota)")


async def actor_of(
    connection: AsyncConnection, key_hash: bytes, at: datetime, quota: int
) -> Actor | None:
    """Return who holds the key of this hash, across tenants, if it is in force.

    The request is counted against the key's `quota` per minute, 0 without a limit.
    """
    values = {"hash": key_hash, "now": at, "quota": quota}
    row = (await connection.execute(_AUTHENTICATE, values)).one_or_none()
    if row is None:
        return None
    budget = Budget(quota, quota - row.used, row.resets_in) if quota else None
    return Actor(
        key_id=row.id,
        merchant_id=row.merchant_id,
        scopes=frozenset(row.scopes),
        livemode=row.livemode,
        allowed_ips=tuple(row.allowed_ips),
        budget=budget,
    )


async def key_page(
    session: AsyncSession, merchant_id: str, page: PageRequest, *, livemode: bool
) -> Slice[ApiKey]:
    """Return the keys of one merchant and mode, revoked ones included."""
    query = select(ApiKey).where(ApiKey.merchant_id == merchant_id, ApiKey.livemode == livemode)
    return await newest_first(session, query, ApiKey.id, page)


async def key_of(
    session: AsyncSession, merchant_id: str, key_id: str, *, livemode: bool
) -> ApiKey | None:
    """Return one key of the merchant, locked."""
    query = (
        select(ApiKey)
        .where(
            ApiKey.id == key_id,
            ApiKey.merchant_id == merchant_id,
            ApiKey.livemode == livemode,
        )
        .with_for_update()
    )
    return (await session.scalars(query)).one_or_none()
