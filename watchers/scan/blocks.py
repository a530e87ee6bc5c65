"""Our blocks above a height: which stand, and that they no longer do."""

from collections.abc import Sequence

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import Block


async def orphan_blocks(session: AsyncSession, network: str, above: int) -> None:
    """Mark our blocks above a height as no longer on the chain."""
    await session.execute(
        update(Block)
        .where(Block.network_id == network, Block.height > above)
        .values(orphaned=True)
    )


async def standing_above(
    session: AsyncSession, network: str, height: int
) -> Sequence[Row[int, str]]:
    """Return height and hash of our standing blocks above `height`, lowest first."""
    query = (
        select(Block.height, Block.hash)
        .where(
            Block.network_id == network,
            Block.height > height,
            Block.orphaned.is_(False),
        )
        .order_by(Block.height)
    )
    return (await session.execute(query)).all()
