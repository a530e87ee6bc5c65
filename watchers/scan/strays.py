"""What reached an address of ours without being a payment: rows, and numbers beyond a ration.

Anybody can send worthless tokens to any address, so rows are rationed per address and day of
block time; what is beyond the ration is only counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date

from sqlalchemy import select, tuple_, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send_later
from gateway.domain.moment import Moment
from gateway.models import AddressPool, ApplicationWallet, Stray, StrayDay
from watchers.addresses import AddressBook
from watchers.network import Block, Transfer

ROWS_PER_DAY = 20
"""Rows that one address may have per day; the rest is a number."""
REASONS = {"token": "asset_not_listed", "account": "account_not_canonical"}

Sighting = tuple[Block, Transfer]
Identity = tuple[str, str, int]
Ration = tuple[str, date]
"""Address and day of block time."""


def identity(transfer: Transfer) -> Identity:
    """Name a transfer inside its network, for good."""
    return transfer.tx_hash, transfer.kind, transfer.ordinal


def ration_of(sighting: Sighting) -> Ration:
    """Return whose ration a sighting counts against."""
    block, transfer = sighting
    return transfer.recipient, block.ref.time.astimezone(UTC).date()


def rationed(
    sightings: Iterable[Sighting], kept: Mapping[Ration, int], limit: int
) -> tuple[list[Sighting], Counter[Ration]]:
    """Choose the sightings that get a row; count the others. `kept` are the rows there are."""
    chosen: list[Sighting] = []
    rows, dropped = Counter(kept), Counter[Ration]()
    for sighting in sightings:
        ration = ration_of(sighting)
        if rows[ration] < limit:
            rows[ration] += 1
            chosen.append(sighting)
        else:
            dropped[ration] += 1
    return chosen, dropped


def found(blocks: Sequence[Block], book: AddressBook, own: frozenset[str]) -> list[Sighting]:
    """Return the strays of these blocks that may be at addresses of ours."""
    return [
        (block, transfer)
        for block in blocks
        for transfer in book.hits(replace(block, transfers=tuple(block.strays())), own)
        if transfer.units > 0
    ]


async def record(
    session: AsyncSession, network: str, sightings: Sequence[Sighting], moment: Moment
) -> None:
    """Write these strays; one that is known already and not final moves to where it stands now.

    However many are new, they take the same few statements.
    """
    ours = await _ours(session, network, {transfer.recipient for _, transfer in sightings})
    sightings = [sighting for sighting in sightings if sighting[1].recipient in ours]
    if not sightings:
        return
    known = await _known(session, network, sightings)
    again = [sighting for sighting in sightings if identity(sighting[1]) in known]
    fresh = {identity(s[1]): s for s in sightings if identity(s[1]) not in known}
    kept = await _kept(session, network, list(fresh.values()))
    chosen, dropped = rationed(fresh.values(), kept, ROWS_PER_DAY)
    if again:
        await _move(session, network, again)
    if chosen:
        rows = [_row(network, sighting, moment) for sighting in chosen]
        await session.execute(insert(Stray), rows)
    await _count(session, network, Counter(map(ration_of, chosen)), dropped)


async def confirm(
    session: AsyncSession, network: str, final_height: int, moment: Moment
) -> None:
    """Mark strays in final blocks."""
    values = {"network": network, "final": final_height, "at": moment.at}
    await send_later(session, _CONFIRM, values)


async def orphan(session: AsyncSession, network: str, above: int) -> None:
    """Mark strays whose block is no longer on the chain; a new sighting brings them back."""
    await session.execute(
        update(Stray)
        .where(
            Stray.network_id == network,
            Stray.status == "pending",
            Stray.block_height > above,
        )
        .values(status="reorged")
    )


async def _ours(session: AsyncSession, network: str, addresses: set[str]) -> set[str]:
    """Return which of these are ours: the book only says "perhaps"."""
    if not addresses:
        return set()
    pool, wallets = (
        select(table.address).where(table.network_id == network, table.address.in_(addresses))
        for table in (AddressPool, ApplicationWallet)
    )
    return set(await session.scalars(union(pool, wallets)))


async def _known(
    session: AsyncSession, network: str, sightings: Sequence[Sighting]
) -> set[Identity]:
    hashes = {transfer.tx_hash for _, transfer in sightings}
    query = select(Stray.tx_hash, Stray.kind, Stray.ordinal).where(
        Stray.network_id == network, Stray.tx_hash.in_(hashes)
    )
    return {(row.tx_hash, row.kind, row.ordinal) for row in await session.execute(query)}


async def _kept(
    session: AsyncSession, network: str, sightings: Sequence[Sighting]
) -> dict[Ration, int]:
    rations = set(map(ration_of, sightings))
    query = select(StrayDay.address, StrayDay.day, StrayDay.kept).where(
        StrayDay.network_id == network, tuple_(StrayDay.address, StrayDay.day).in_(rations)
    )
    return {(row.address, row.day): row.kept for row in await session.execute(query)}


async def _move(session: AsyncSession, network: str, sightings: Sequence[Sighting]) -> None:
    for block, transfer in sightings:
        await session.execute(
            update(Stray)
            .where(
                Stray.network_id == network,
                Stray.tx_hash == transfer.tx_hash,
                Stray.kind == transfer.kind,
                Stray.ordinal == transfer.ordinal,
                Stray.status.in_(["pending", "reorged"]),
            )
            .values(
                status="pending",
                units=transfer.units,
                block_height=block.ref.height,
                block_hash=block.ref.hash,
                block_time=block.ref.time,
            )
        )


async def _count(
    session: AsyncSession, network: str, kept: Counter[Ration], dropped: Counter[Ration]
) -> None:
    rows = [
        {
            "network_id": network,
            "address": ration[0],
            "day": ration[1],
            "kept": kept[ration],
            "dropped": dropped[ration],
        }
        for ration in sorted(kept.keys() | dropped.keys())
    ]
    if not rows:
        return
    statement = insert(StrayDay)
    more = {
        "kept": StrayDay.kept + statement.excluded.kept,
        "dropped": StrayDay.dropped + statement.excluded.dropped,
    }
    key = ["network_id", "address", "day"]
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=more), rows)


def _row(network: str, sighting: Sighting, moment: Moment) -> dict[str, object]:
    block, transfer = sighting
    return {
        "id": moment.id("dep"),
        "network_id": network,
        "tx_hash": transfer.tx_hash,
        "kind": transfer.kind,
        "ordinal": transfer.ordinal,
        "asset": transfer.asset,
        "units": transfer.units,
        "sender": transfer.sender,
        "address": transfer.recipient,
        "reason": REASONS[transfer.kind],
        "status": "pending",
        "block_height": block.ref.height,
        "block_hash": block.ref.hash,
        "block_time": block.ref.time,
        "detected_at": moment.at,
        "confirmed_at": None,
    }


_CONFIRM = """
UPDATE stray SET status = 'confirmed', confirmed_at = %(at)s
WHERE network_id = %(network)s AND status = 'pending' AND block_height <= %(final)s
"""
