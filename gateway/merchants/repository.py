"""Named queries for merchants."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.models import Merchant


async def merchant_of(
    session: AsyncSession, merchant_id: str, *, lock: bool = False
) -> Merchant:
    """Return the merchant; to this caller it exists only inside its own tenant."""
    query = select(Merchant).where(Merchant.id == merchant_id, Merchant.deleted_at.is_(None))
    row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no merchant {merchant_id[:64]}")
    return row
