"""The watcher's own rows: cursor with its lease, blocks, the currencies of its network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import Block as BlockRow
from gateway.models import Currency, Cursor
from watchers.network import Block, BlockRef

LEASE = timedelta(seconds=10)


class LeaseLost(Exception):
    """Another watcher took this network over, or moved the cursor: this process must end."""


class CatalogChanged(Exception):
    """A currency was added: a block read without it must not pass the cursor."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where this watcher believes the cursor stands; a commit proves it or fails."""

    network: str
    epoch: int
    height: int
    hash: str
    final_height: int


async def currencies_of(session: AsyncSession, network: str) -> Sequence[Currency]:
    """Return every currency of a network: a disabled one may still be paid to an old invoice."""
    query = select(Currency).where(Currency.network_id == network)
    return (await session.scalars(query)).all()


async def take_lease(
    session: AsyncSession, network: str, holder: str, moment: Moment
) -> Position | None:
    """Take the network's lease and return where to go on; None while another holds it.

    Raises `LookupError` where the network has no cursor yet.
    """
    query = select(Cursor).where(Cursor.network_id == network).with_for_update()
    cursor = (await session.scalars(query)).one_or_none()
    if cursor is None:
        raise LookupError(network)
    if cursor.leased_until is not None and cursor.leased_until > moment.at:
        return None
    cursor.epoch += 1
    cursor.holder = holder
    cursor.leased_until = moment.at + LEASE
    return Position(network, cursor.epoch, cursor.height, cursor.hash, cursor.final_height)


async def has_cursor(session: AsyncSession, network: str) -> bool:
    """Tell whether the network was ever scanned."""
    query = select(Cursor.network_id).where(Cursor.network_id == network)
    return await session.scalar(query) is not None


async def create_cursor(
    session: AsyncSession, network: str, start: BlockRef, moment: Moment
) -> None:
    """Begin behind `start`: it counts as processed and final, the next block is the first read."""
    await session.execute(
        insert(Cursor).values(
            network_id=network,
            height=start.height,
            hash=start.hash,
            final_height=start.height,
            epoch=0,
            holder=None,
            leased_until=None,
            updated_at=moment.at,
        )
    )
    await add_blocks(session, network, [Block(start, ())], moment.at)


async def advance(session: AsyncSession, old: Position, new: Position, at: datetime) -> None:
    """Move the cursor by compare-and-swap and renew the lease; raise `LeaseLost` on a mismatch."""
    moved = await session.scalar(
        update(Cursor)
        .where(
            Cursor.network_id == old.network,
            Cursor.epoch == old.epoch,
            Cursor.height == old.height,
            Cursor.hash == old.hash,
            Cursor.final_height == old.final_height,
        )
        .values(
            height=new.height,
            hash=new.hash,
            final_height=new.final_height,
            leased_until=at + LEASE,
            updated_at=at,
        )
        .returning(Cursor.epoch)
    )
    if moved is None:
        raise LeaseLost(f"{old.network}: the cursor is no longer at {old.height} {old.hash}")


async def hold_lease(session: AsyncSession, position: Position) -> None:
    """Lock the cursor row for this transaction and prove that the lease is still ours."""
    query = (
        select(Cursor.epoch)
        .where(Cursor.network_id == position.network, Cursor.epoch == position.epoch)
        .with_for_update(read=True)
    )
    if await session.scalar(query) is None:
        raise LeaseLost(f"{position.network}: epoch {position.epoch} is over")


async def renew_lease(session: AsyncSession, position: Position, at: datetime) -> None:
    """Keep the lease while no block arrives; raise `LeaseLost` where it is another's."""
    renewed = await session.scalar(
        update(Cursor)
        .where(Cursor.network_id == position.network, Cursor.epoch == position.epoch)
        .values(leased_until=at + LEASE)
        .returning(Cursor.epoch)
    )
    if renewed is None:
        raise LeaseLost(f"{position.network}: epoch {position.epoch} is over")


async def require_currencies(
    session: AsyncSession, network: str, known: Sequence[Currency]
) -> None:
    """Raise `CatalogChanged` where a currency was listed that this process does not read."""
    query = select(Currency.id).where(Currency.network_id == network)
    listed = set(await session.scalars(query))
    if listed != {currency.id for currency in known}:
        raise CatalogChanged(f"{network}: currencies changed, start again")


async def release_lease(session: AsyncSession, position: Position) -> None:
    """Let the next watcher in at once."""
    await session.execute(
        update(Cursor)
        .where(Cursor.network_id == position.network, Cursor.epoch == position.epoch)
        .values(leased_until=None, holder=None)
    )


async def add_blocks(
    session: AsyncSession, network: str, blocks: Sequence[Block], at: datetime
) -> None:
    """Keep the identity of processed blocks; one that was orphaned before stands again."""
    rows = [
        {
            "network_id": network,
            "height": block.ref.height,
            "hash": block.ref.hash,
            "parent_hash": block.ref.parent_hash,
            "block_time": block.ref.time,
            "transactions": len(block.outcomes),
            "orphaned": False,
            "scanned_at": at,
        }
        for block in blocks
    ]
    statement = insert(BlockRow)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["network_id", "height", "hash"], set_={"orphaned": False}
        ),
        rows,
    )


async def orphan_blocks(session: AsyncSession, network: str, above: int) -> None:
    """Mark our blocks above a height as no longer on the chain."""
    await session.execute(
        update(BlockRow)
        .where(BlockRow.network_id == network, BlockRow.height > above)
        .values(orphaned=True)
    )


async def block_at_or_below(
    session: AsyncSession, network: str, height: int
) -> BlockRow | None:
    """Return our highest standing block up to `height`; None below the first one."""
    query = (
        select(BlockRow)
        .where(
            BlockRow.network_id == network,
            BlockRow.height <= height,
            BlockRow.orphaned.is_(False),
        )
        .order_by(BlockRow.height.desc())
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


def moved_to(position: Position, ref: BlockRef) -> Position:
    """Return the position after `ref` was processed."""
    return replace(position, height=ref.height, hash=ref.hash)
