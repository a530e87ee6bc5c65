"""The watcher's own rows: cursor with its lease, blocks, the currencies of its network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import as_json, send, send_all, send_later
from gateway.domain.moment import Moment
from gateway.models import Block as BlockRow
from gateway.models import Currency, Cursor
from watchers.network import Block, BlockRef

LEASE = timedelta(seconds=10)
"""By the clock of the database: those of two machines may disagree."""
_CLOCK = func.clock_timestamp(type_=DateTime(timezone=True))


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
    halted: str | None = None
    """Why nothing may go on: the chain contradicts what was final. Cleared by the next block."""


async def currencies_of(session: AsyncSession, network: str) -> Sequence[Currency]:
    """Return every currency of a network: a disabled one may still be paid to an old invoice."""
    query = select(Currency).where(Currency.network_id == network)
    return (await session.scalars(query)).all()


async def take_lease(session: AsyncSession, network: str, holder: str) -> Position | None:
    """Take the network's lease and return where to go on; None while another holds it.

    Raises `LookupError` where the network has no cursor yet.
    """
    query = select(Cursor, _CLOCK).where(Cursor.network_id == network).with_for_update()
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise LookupError(network)
    cursor, at = found
    if cursor.leased_until is not None and cursor.leased_until > at:
        return None
    cursor.epoch += 1
    cursor.holder = holder
    cursor.leased_until = at + LEASE
    return _position(cursor)


async def position_of(session: AsyncSession, network: str) -> Position | None:
    """Return where the network's cursor stands, whoever moves it; None before the first scan."""
    cursor = await session.get(Cursor, network)
    return None if cursor is None else _position(cursor)


def _position(cursor: Cursor) -> Position:
    return Position(
        network=cursor.network_id,
        epoch=cursor.epoch,
        height=cursor.height,
        hash=cursor.hash,
        final_height=cursor.final_height,
        halted=cursor.halted,
    )


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
            halted=None,
            epoch=0,
            holder=None,
            leased_until=None,
            updated_at=moment.at,
        )
    )
    await add_blocks(session, network, [Block(start, ())], moment.at)


async def advance(session: AsyncSession, old: Position, new: Position, at: datetime) -> None:
    """Move the cursor by compare-and-swap and renew the lease; raise `LeaseLost` on a mismatch."""
    moved = await send(session, _ADVANCE, _step(old, new, at))
    _require_moved(old, moved=bool(moved))


async def advance_knowing(
    session: AsyncSession, old: Position, new: Position, at: datetime, known: Sequence[Currency]
) -> None:
    """Move the cursor as `advance` does, past blocks that were read for the `known` currencies.

    Raises `CatalogChanged` where one was listed that this process does not read.
    """
    moved, rows = await send_all(
        session, (_ADVANCE, _step(old, new, at)), (_LISTED, {"network": old.network})
    )
    _require_moved(old, moved=bool(moved))
    listed = {currency_id for (currency_id,) in rows}
    if listed != {currency.id for currency in known}:
        raise CatalogChanged(f"{old.network}: currencies changed, start again")


def _step(old: Position, new: Position, at: datetime) -> dict[str, Any]:
    return {
        "network": old.network,
        "epoch": old.epoch,
        "old_height": old.height,
        "old_hash": old.hash,
        "old_final": old.final_height,
        "height": new.height,
        "hash": new.hash,
        "final": new.final_height,
        "halted": new.halted,
        "lease": LEASE,
        "at": at,
    }


def _require_moved(old: Position, *, moved: bool) -> None:
    if not moved:
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


async def renew_lease(session: AsyncSession, position: Position) -> None:
    """Keep the lease while no block arrives; raise `LeaseLost` where it is another's."""
    renewed = await session.scalar(
        update(Cursor)
        .where(Cursor.network_id == position.network, Cursor.epoch == position.epoch)
        .values(leased_until=_CLOCK + LEASE)
        .returning(Cursor.epoch)
    )
    if renewed is None:
        raise LeaseLost(f"{position.network}: epoch {position.epoch} is over")


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
            "height": block.ref.height,
            "hash": block.ref.hash,
            "parent": block.ref.parent_hash,
            "time": block.ref.time,
            "count": len(block.outcomes),
            "provider": block.provider,
        }
        for block in blocks
    ]
    # One value: the driver takes arrays apart more slowly than the database reads JSON.
    values = {"network": network, "at": at, "rows": as_json(rows)}
    await send_later(session, _ADD_BLOCKS, values)


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
    """Return the position after `ref` was processed: the chain builds on ours, nothing is halted."""
    return replace(position, height=ref.height, hash=ref.hash, halted=None)


_ADVANCE = """
UPDATE cursor SET height = %(height)s, hash = %(hash)s, final_height = %(final)s,
    halted = %(halted)s, leased_until = clock_timestamp() + %(lease)s, updated_at = %(at)s
WHERE network_id = %(network)s
    AND epoch = %(epoch)s
    AND height = %(old_height)s AND hash = %(old_hash)s
    AND final_height = %(old_final)s
RETURNING epoch
"""
_LISTED = "SELECT id FROM currency WHERE network_id = %(network)s"
_ADD_BLOCKS = """
INSERT INTO block (network_id, height, hash, parent_hash, block_time, transactions, provider,
                   orphaned, scanned_at)
SELECT %(network)s, height, hash, parent, time, count, provider, false, %(at)s
FROM jsonb_to_recordset(%(rows)s) AS read (height bigint, hash text, parent text,
    time timestamptz, count integer, provider text)
ON CONFLICT (network_id, height, hash)
    DO UPDATE SET orphaned = false, provider = excluded.provider, scanned_at = excluded.scanned_at
"""
