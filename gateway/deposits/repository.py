"""Named queries for deposits and the addresses they arrive at."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.models import (
    AddressPool,
    Currency,
    Deposit,
    DepositSighting,
    Invoice,
    Network,
)
from gateway.paging import PageRequest, Slice, newest_first

FILTERS = {
    "invoice_id": Deposit.invoice_id,
    "status": Deposit.status,
    "tx_hash": Deposit.tx_hash,
    "payment_method": Deposit.currency_id,
}
"""What a merchant's list can be narrowed to."""


async def deposit_of(
    session: AsyncSession, merchant_id: str, deposit_id: str, *, livemode: bool
) -> tuple[Deposit, Currency]:
    """Return the merchant's deposit; raise `NotFound` where this caller has no such thing."""
    query = _of_merchant(merchant_id, livemode=livemode).where(Deposit.id == deposit_id)
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no deposit {deposit_id[:64]}")
    return row, await session.get_one(Currency, row.currency_id)


async def deposit_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
) -> tuple[Slice[Deposit], dict[str, Currency]]:
    """Return one page of the merchant's deposits and the currencies they are in."""
    query = _of_merchant(merchant_id, livemode=livemode)
    for name, value in wanted.items():
        query = query.where(FILTERS[name] == value)
    found = await newest_first(session, query, Deposit.id, page)
    ids = {row.currency_id for row in found.rows}
    rows = await session.scalars(select(Currency).where(Currency.id.in_(ids)))
    return found, {row.id: row for row in rows}


def _of_merchant(merchant_id: str, *, livemode: bool) -> Select[Deposit]:
    """Select the deposits of a merchant on networks of the mode."""
    return (
        select(Deposit)
        .join(Network, Network.id == Deposit.network_id)
        .where(Deposit.merchant_id == merchant_id, Network.test != livemode)
    )


async def pool_rows(
    session: AsyncSession, network: str, addresses: Sequence[str]
) -> dict[str, AddressPool]:
    """Return the pool rows of these addresses (the stored text)."""
    query = select(AddressPool).where(
        AddressPool.network_id == network, AddressPool.address.in_(addresses)
    )
    return {row.address: row for row in await session.scalars(query)}


async def by_identity(
    session: AsyncSession, network: str, tx_hash: str, kind: str, ordinal: int
) -> Deposit | None:
    """Return the deposit of this identity, locked, or None."""
    query = (
        select(Deposit)
        .where(
            Deposit.network_id == network,
            Deposit.tx_hash == tx_hash,
            Deposit.kind == kind,
            Deposit.ordinal == ordinal,
        )
        .with_for_update()
    )
    return (await session.scalars(query)).one_or_none()


async def pending_up_to(
    session: AsyncSession, network: str, height: int, limit: int
) -> Sequence[Deposit]:
    """Return pending deposits in blocks up to `height`, oldest first, locked."""
    query = (
        select(Deposit)
        .where(
            Deposit.network_id == network,
            Deposit.status == "pending",
            Deposit.block_height <= height,
        )
        .order_by(Deposit.block_height, Deposit.id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def pending_above(session: AsyncSession, network: str, height: int) -> Sequence[Deposit]:
    """Return pending deposits in blocks above `height`, locked."""
    query = (
        select(Deposit)
        .where(
            Deposit.network_id == network,
            Deposit.status == "pending",
            Deposit.block_height > height,
        )
        .order_by(Deposit.id)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def orphan_sightings(session: AsyncSession, deposit_ids: Sequence[str]) -> None:
    """Mark where these deposits stood as orphaned."""
    await session.execute(
        update(DepositSighting)
        .where(DepositSighting.deposit_id.in_(deposit_ids))
        .values(orphaned=True)
    )


async def waiting_for_depth(session: AsyncSession, network: str) -> Sequence[str]:
    """Return invoices that settle by a number of confirmations and have pending deposits here."""
    query = (
        select(Invoice.id)
        .distinct()
        .join(Deposit, Deposit.invoice_id == Invoice.id)
        .where(
            Deposit.network_id == network,
            Deposit.status == "pending",
            Invoice.confirmations.is_not(None),
            Invoice.status.in_(["pending", "processing", "expired"]),
        )
        .order_by(Invoice.id)
    )
    return (await session.scalars(query)).all()
