"""Named queries for places: what stands at an address in one currency, and what of it waits.

Anybody may send any number of small deposits to any address: what is read here does not grow
with what came before.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Select, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Text

from gateway.deposits.owners import Owner, owner_of
from gateway.domain.posting import deposit_ref
from gateway.models import AddressPool, Deposit, Invoice, Journal

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
            Deposit.id == any_(bindparam("ids", type_=ARRAY(Text))),
            Deposit.reason == "below_minimum",
            Deposit.status.in_(STANDING),
            Deposit.purpose.in_(WEIGHED),
        )
        .order_by(Deposit.id)
        .with_for_update()
    )
    return (await session.scalars(query, {"ids": ids})).all()


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
    query: Select[AddressPool, Invoice | None] = (
        select(AddressPool, Invoice)
        .outerjoin(Invoice, Invoice.id == AddressPool.invoice_id)
        .where(
            AddressPool.network_id == network,
            AddressPool.address == any_(bindparam("addresses", type_=ARRAY(Text))),
            AddressPool.merchant_id.is_not(None),
        )
    )
    found = {}
    for row, invoice in await session.execute(query, {"addresses": list(addresses)}):
        owner = owner_of(row, {} if invoice is None else {invoice.id: invoice})
        if owner is not None:
            found[row.address] = owner
    return found


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
