"""Named queries for places: what stands at an address in one currency, and what of it waits.

Anybody may send any number of small deposits to any address: what is read here does not grow
with what came before.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send
from gateway.deposits.owners import Owner, owner_of
from gateway.domain.posting import deposit_ref
from gateway.models import AddressPool, Deposit, Invoice, Journal
from gateway.models.columns import among, joined
from gateway.rows import Plain

Place = tuple[str, str]
"""Address and currency: small deposits add up there."""
WEIGHED = ("unattributed", "invoice", "customer")
"""Purposes of what is weighed. What is being refunded, or was, stands there no more."""
STANDING = ("pending", "confirmed")
PIECES_MAX = 500
"""So many of a place's largest deposits add up, and so many small ones are moved at a time."""


async def marked_at(
    session: AsyncSession, network: str, places: Collection[Place]
) -> Sequence[Deposit]:
    """Return the largest small deposits at these places that are not credited yet; locked."""
    if not places:
        return ()
    found = await session.scalars(MARKED, _parameters(network, places))
    ids = list(found)
    if not ids:
        return ()
    query: Select[Deposit] = (
        select(Deposit)
        .where(
            among(Deposit.id, "ids"),
            Deposit.reason == "below_minimum",
            Deposit.status.in_(STANDING),
            Deposit.purpose.in_(WEIGHED),
        )
        .order_by(Deposit.id)
        .with_for_update()
    )
    return (await session.scalars(query, {"ids": joined(ids)})).all()


async def sums_at(
    session: AsyncSession, network: str, places: Collection[Place]
) -> Mapping[Place, tuple[int, int]]:
    """Return what the largest pieces at each place come to, and what of that is final."""
    await session.flush()
    rows = await session.execute(SUMS, _parameters(network, places))
    return {(r.address, r.currency_id): (int(r.standing), int(r.final)) for r in rows}


def _parameters(network: str, places: Collection[Place]) -> dict[str, object]:
    return {
        "network": network,
        "addresses": [address for address, _ in places],
        "currencies": [currency_id for _, currency_id in places],
        "most": PIECES_MAX,
    }


async def owners_at(
    session: AsyncSession, network: str, addresses: Collection[str]
) -> dict[str, Owner]:
    """Return the invoice or the customer that each of these addresses belongs to."""
    values = {"network": network, "addresses": joined(addresses)}
    rows = [_POOL.row(each) for each in await send(session, _GIVEN, values)]
    ids = {row.invoice_id for row in rows if row.invoice_id is not None}
    invoices: dict[str, Invoice] = {}
    if ids:
        query: Select[Invoice] = select(Invoice).where(among(Invoice.id, "ids"))
        found = await session.scalars(query, {"ids": joined(ids)})
        invoices = {invoice.id: invoice for invoice in found}
    owners = {row.address: owner_of(row, invoices) for row in rows}
    return {address: owner for address, owner in owners.items() if owner is not None}


async def in_suspense(session: AsyncSession, deposits: Sequence[Deposit]) -> dict[str, str]:
    """Return which of these final deposits were credited to nobody yet: id to journal reference."""
    refs = {
        deposit_ref(d.network_id, d.tx_hash, d.kind, d.ordinal, d.reversals): d.id
        for d in deposits
        if d.status == "confirmed"
    }
    if not refs:
        return {}
    given = select(Journal.ref).where(Journal.kind == "assign", Journal.ref.in_(refs))
    query = select(Journal.ref).where(
        Journal.kind == "deposit",
        Journal.ref.in_(refs),
        Journal.merchant_id.is_(None),
        Journal.ref.not_in(given),
    )
    return {refs[ref]: ref for ref in await session.scalars(query)}


_POOL = Plain(AddressPool, "p")
_GIVEN = f"""
SELECT {_POOL.select} FROM address_pool p
WHERE p.network_id = %(network)s AND p.address = ANY(string_to_array(%(addresses)s, ','))
    AND p.merchant_id IS NOT NULL
"""  # noqa: S608 names of columns only
_PLACES = """
FROM unnest(CAST(:addresses AS text[]), CAST(:currencies AS text[])) AS p (address, currency_id),
LATERAL """
_HERE = """FROM deposit d WHERE d.network_id = :network AND d.address = p.address
    AND d.currency_id = p.currency_id AND d.status IN ('pending', 'confirmed')"""
_LARGEST = "ORDER BY d.units DESC LIMIT :most"
# Each has an index of its own: `deposit_small` and `deposit_owned`.
MARKED = text(f"""
SELECT found.id {_PLACES} (SELECT d.id {_HERE} AND d.reason = 'below_minimum'
    AND d.purpose IN ('unattributed', 'invoice', 'customer') {_LARGEST}) AS found
""")
SUMS = text(f"""
SELECT p.address, p.currency_id, coalesce(sum(units), 0) AS standing,
    coalesce(sum(units) FILTER (WHERE status = 'confirmed'), 0) AS final
{_PLACES} (
    (SELECT d.units, d.status {_HERE} AND d.purpose IN ('invoice', 'customer') {_LARGEST})
    UNION ALL
    (SELECT d.units, d.status {_HERE} AND d.reason = 'below_minimum'
        AND d.purpose = 'unattributed' {_LARGEST})
) AS piece
GROUP BY p.address, p.currency_id
""")
