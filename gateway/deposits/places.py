"""Named queries for places: what stands at an address in one currency, and what of it waits."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits.owners import Owner, owner_of
from gateway.domain.posting import deposit_ref
from gateway.models import AddressPool, Deposit, Invoice, Journal


async def standing_at(
    session: AsyncSession, network: str, places: Collection[tuple[str, str]]
) -> Sequence[Deposit]:
    """Return what stands at these (address, currency) for their owner or is too small for one.

    What is being refunded, or was, stands there no more.
    """
    query = (
        select(Deposit)
        .where(
            Deposit.network_id == network,
            Deposit.address.in_({address for address, _ in places}),
            tuple_(Deposit.address, Deposit.currency_id).in_(places),
            Deposit.status.in_(["pending", "confirmed"]),
            Deposit.purpose.in_(["invoice", "customer"])
            | and_(Deposit.purpose == "unattributed", Deposit.reason == "below_minimum"),
        )
        .order_by(Deposit.id)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def owners_at(
    session: AsyncSession, network: str, addresses: Collection[str]
) -> dict[str, Owner]:
    """Return the invoice or the customer that each of these addresses belongs to."""
    query: Select[AddressPool, Invoice | None] = (
        select(AddressPool, Invoice)
        .outerjoin(Invoice, Invoice.id == AddressPool.invoice_id)
        .where(
            AddressPool.network_id == network,
            AddressPool.address.in_(addresses),
            AddressPool.merchant_id.is_not(None),
        )
    )
    found = {}
    for row, invoice in await session.execute(query):
        owner = owner_of(row, {} if invoice is None else {invoice.id: invoice})
        if owner is not None:
            found[row.address] = owner
    return found


async def in_suspense(session: AsyncSession, deposits: Sequence[Deposit]) -> dict[str, str]:
    """Return which of these final deposits were credited to nobody yet: id to journal reference."""
    refs = {
        deposit_ref(d.network_id, d.tx_hash, d.kind, d.ordinal): d.id
        for d in deposits
        if d.status == "confirmed"
    }
    given = select(Journal.ref).where(Journal.kind == "assign", Journal.ref.in_(refs))
    query = select(Journal.ref).where(
        Journal.kind == "deposit",
        Journal.ref.in_(refs),
        Journal.merchant_id.is_(None),
        Journal.ref.not_in(given),
    )
    return {refs[ref]: ref for ref in await session.scalars(query)}
