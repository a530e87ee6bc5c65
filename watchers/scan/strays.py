"""What reached an address of ours without being a payment: rows, and numbers beyond a ration."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from sqlalchemy import func, select, tuple_, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send_later
from gateway.domain.moment import Moment
from gateway.models import AddressPool, ApplicationWallet, Stray, StrayDay
from watchers.addresses import AddressBook
from watchers.network import Block, Transfer
from watchers.scan.ration import Count, Place, Ration, Sighting, ration_of, rationed

REASONS = {"token": "asset_not_listed", "account": "account_not_canonical"}

Identity = tuple[str, str, int]


def identity(transfer: Transfer) -> Identity:
    """Name a transfer inside its network, for good."""
    return transfer.tx_hash, transfer.kind, transfer.ordinal


def _unlisted(named: Identity) -> Identity:
    """Name a transfer as it was named while its asset was not listed."""
    tx_hash, _, ordinal = named
    return tx_hash, "token", ordinal


def found(blocks: Sequence[Block], book: AddressBook, own: frozenset[str]) -> list[Sighting]:
    """Return the strays of these blocks that may be at addresses of ours."""
    return [
        (block, transfer)
        for block in blocks
        for transfer in book.hits(replace(block, transfers=tuple(block.strays())), own)
        if transfer.units > 0
    ]


async def record(
    session: AsyncSession,
    network: str,
    sightings: Sequence[Sighting],
    listed: AbstractSet[str],
    moment: Moment,
) -> None:
    """Write these strays; one that is known already and not final moves to where it stands now.

    `listed` are the network's own assets. However many are new, they take the same few statements.
    What was a mere token before its asset was listed, and is out of a sweep's reach, takes the
    place of its row, which named another way out.
    """
    ours = await _ours(session, network, {transfer.recipient for _, transfer in sightings})
    sightings = [sighting for sighting in sightings if sighting[1].recipient in ours]
    if not sightings:
        return
    known = await _known(session, network, sightings)
    again = [sighting for sighting in sightings if identity(sighting[1]) in known]
    fresh = {identity(s[1]): s for s in sightings if identity(s[1]) not in known}
    renamed = [fresh.pop(each) for each in list(fresh) if _unlisted(each) in known]
    rations = set(map(ration_of, fresh.values()))
    before = await _counted(session, network, rations)
    rows = await _rows(session, network, {ration.place for ration in rations})
    chosen, added = rationed(fresh.values(), before, rows, listed)
    if again:
        await _move(session, network, again)
    if renamed:
        await _strike(session, network, renamed)
        chosen += renamed
    if chosen:
        await session.execute(
            insert(Stray), [_row(network, sighting, moment) for sighting in chosen]
        )
    await _count(session, network, added)


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


async def _counted(
    session: AsyncSession, network: str, rations: AbstractSet[Ration]
) -> dict[Ration, Count]:
    key = tuple_(StrayDay.address, StrayDay.day, StrayDay.asset)
    query = select(StrayDay).where(
        StrayDay.network_id == network,
        key.in_([(*ration.place, ration.asset) for ration in rations]),
    )
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {
        Ration(Place(row.address, row.day), row.asset): Count(row.kept, row.largest_units)
        for row in rows
    }


async def _rows(
    session: AsyncSession, network: str, places: AbstractSet[Place]
) -> dict[Place, int]:
    """Return how many strays of these places have a row so far."""
    key = (StrayDay.address, StrayDay.day)
    query = select(*key, func.sum(StrayDay.kept)).where(
        StrayDay.network_id == network, tuple_(*key).in_(places)
    )
    rows = (await session.execute(query.group_by(*key))).tuples()
    return {Place(address, day): number for address, day, number in rows}


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


async def _strike(session: AsyncSession, network: str, sightings: Sequence[Sighting]) -> None:
    """Take the rows that these sightings had while their asset was not listed off the list."""
    key = tuple_(Stray.tx_hash, Stray.kind, Stray.ordinal)
    before = [_unlisted(identity(transfer)) for _, transfer in sightings]
    await session.execute(
        update(Stray)
        .where(Stray.network_id == network, key.in_(before))
        .values(status="counted")
    )


async def _count(session: AsyncSession, network: str, added: Mapping[Ration, Count]) -> None:
    rows = [
        {
            "network_id": network,
            "address": ration.place.address,
            "day": ration.place.day,
            "asset": ration.asset,
            "kept": count.rows,
            "largest_units": count.largest,
            "dropped": count.dropped,
            "dropped_units": count.dropped_units,
        }
        for ration, count in sorted(added.items())
    ]
    if not rows:
        return
    statement = insert(StrayDay)
    new = statement.excluded
    more = {
        "kept": StrayDay.kept + new.kept,
        "largest_units": func.greatest(StrayDay.largest_units, new.largest_units),
        "dropped": StrayDay.dropped + new.dropped,
        "dropped_units": StrayDay.dropped_units + new.dropped_units,
    }
    key = ["network_id", "address", "day", "asset"]
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
