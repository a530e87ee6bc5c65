"""Named statements that write deposits: however many there are, each is one statement."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from gateway.db import as_json, send, send_later
from gateway.deposits.arrival import NAMES, Arrival
from gateway.models import Deposit, DepositSighting
from gateway.models.columns import among, joined

Identity = tuple[str, str, int]
"""Hash, kind and ordinal: a deposit's name inside its network."""
KIND = "token"
"""The kind in which what is no coin of its chain arrives."""


async def by_identity(
    session: AsyncSession, network: str, hashes: Collection[str]
) -> dict[Identity, Deposit]:
    """Return the deposits of these transactions, locked, by (hash, kind, ordinal)."""
    query: Select[Deposit] = (
        select(Deposit)
        .where(Deposit.network_id == network, among(Deposit.tx_hash, "hashes"))
        .order_by(Deposit.id)
        .with_for_update()
    )
    rows = await session.scalars(query, {"hashes": joined(hashes)})
    return {(row.tx_hash, row.kind, row.ordinal): row for row in rows}


async def add(session: AsyncSession, deposits: Sequence[Deposit]) -> set[str]:
    """Write new deposits; return the ids of those that the database refused.

    A balance difference has credited what these brought. From here on the session has them all
    as the rows they are, but for what the database wrote on those that it refused.
    """
    if not deposits:
        return set()
    loaded = [(deposit, vars(deposit)) for deposit in deposits]
    rows = [
        {name: values.get(name) for name in NAMES}
        | {"units": str(deposit.units), "fee_units": str(deposit.fee_units)}
        for deposit, values in loaded
    ]
    written = await send(session, _ADD, {"rows": as_json(rows)})
    for deposit in deposits:
        make_transient_to_detached(deposit)
        session.add(deposit)
    return {deposit_id for deposit_id, status in written if status == "rejected"}


async def counted_elsewhere(session: AsyncSession, deposit_ids: Sequence[str]) -> set[str]:
    """Return which of these the database refused because a balance difference credited them."""
    if not deposit_ids:
        return set()
    query = select(Deposit.id).where(among(Deposit.id, "ids"), Deposit.status == "rejected")
    return set(await session.scalars(query, {"ids": joined(deposit_ids)}))


async def add_sightings(
    session: AsyncSession, seen: Sequence[tuple[Deposit, str, int]], at: datetime
) -> None:
    """Note in which block (hash, height) each deposit stands."""
    places = {
        (deposit.id, block_hash): {
            "deposit": deposit.id,
            "hash": block_hash,
            "height": height,
            "units": str(deposit.units),
        }
        for deposit, block_hash, height in seen
    }
    await send_later(
        session, _ADD_SIGHTINGS, {"rows": as_json(list(places.values())), "at": at}
    )


async def orphan_sightings(session: AsyncSession, deposit_ids: Sequence[str]) -> None:
    """Mark where these deposits stood as orphaned."""
    await session.execute(
        update(DepositSighting)
        .where(DepositSighting.deposit_id.in_(deposit_ids))
        .values(orphaned=True)
    )


async def mark_confirmed(
    session: AsyncSession, deposits: Sequence[Deposit], at: datetime
) -> None:
    """Write that these deposits are final."""
    ids = joined(deposit.id for deposit in deposits)
    await send_later(session, _CONFIRM, {"ids": ids, "at": at})
    for deposit in deposits:
        set_committed_value(deposit, "status", "confirmed")
        set_committed_value(deposit, "confirmed_at", at)


async def use_addresses(session: AsyncSession, pool_ids: Collection[int]) -> None:
    """Mark assigned addresses as paid to."""
    await send_later(session, _USE, {"ids": list(pool_ids)})


async def supersede_strays(
    session: AsyncSession, arrivals: Sequence[Arrival], news: Collection[Deposit]
) -> None:
    """Mark strays that are deposits now: their asset was listed and the block read again.

    Of `arrivals` the tokens among the `news`; each has the name that its stray had. What an address
    moved to itself lay beside its canonical account (Solana): so many of its strays, oldest first,
    are those deposits now.
    """
    fresh = {(each.tx_hash, each.ordinal) for each in news if each.kind == KIND}
    tokens = [
        each
        for each in (arrivals if fresh else ())
        if each.kind == KIND and (each.tx_hash, each.ordinal) in fresh
    ]
    if tokens:
        rows = [{"tx_hash": each.tx_hash, "ordinal": each.ordinal} for each in tokens]
        values = {"network": arrivals[0].network_id, "kind": KIND, "rows": as_json(rows)}
        await send_later(session, _SUPERSEDE, values)
    home = [
        {"address": each.address, "asset": each.currency.contract, "units": str(each.units)}
        for each in tokens
        if each.sender == each.address
    ]
    if home:
        values = {"network": arrivals[0].network_id, "rows": as_json(home)}
        await send_later(session, _GATHER, values)


# Rows are one value: the driver takes twenty arrays apart more slowly than the database reads JSON.
_ADD = f"""
INSERT INTO deposit ({", ".join(NAMES)})
SELECT {", ".join(NAMES)}
FROM jsonb_populate_recordset(CAST(NULL AS deposit), %(rows)s)
RETURNING id, status
"""  # noqa: S608 - the model's own column names

_ADD_SIGHTINGS = """
INSERT INTO deposit_sighting (deposit_id, block_hash, block_height, units, orphaned, seen_at)
SELECT deposit, hash, height, units, false, %(at)s
FROM jsonb_to_recordset(%(rows)s)
    AS seen (deposit text, hash text, height bigint, units numeric)
ON CONFLICT (deposit_id, block_hash) DO UPDATE SET orphaned = false
"""

_CONFIRM = """
UPDATE deposit SET status = 'confirmed', confirmed_at = %(at)s
WHERE id = ANY(string_to_array(%(ids)s, ','))
"""

_USE = """
UPDATE address_pool SET status = 'USED' WHERE id = ANY(%(ids)s) AND status = 'ASSIGNED'
"""

_SUPERSEDE = """
UPDATE stray SET status = 'counted'
FROM jsonb_to_recordset(%(rows)s) AS now (tx_hash text, ordinal integer)
WHERE stray.network_id = %(network)s AND stray.tx_hash = now.tx_hash
    AND stray.kind = %(kind)s AND stray.ordinal = now.ordinal
"""

_GATHER = """
UPDATE stray SET status = 'counted' WHERE id IN (
    SELECT id FROM (
        SELECT id, home.units AS came, sum(stray.units)
            OVER (PARTITION BY address, asset ORDER BY block_height, id) AS through
        FROM stray JOIN (
            SELECT address, asset, sum(units) AS units FROM jsonb_to_recordset(%(rows)s)
                AS one (address text, asset text, units numeric) GROUP BY address, asset
        ) AS home USING (address, asset)
        WHERE network_id = %(network)s AND kind = 'account' AND status IN ('pending', 'confirmed')
    ) AS beside WHERE through <= came)
"""
