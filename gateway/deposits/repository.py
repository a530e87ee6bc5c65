"""Named queries for deposits and the addresses they arrive at."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Select, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from gateway.catalog.repository import suspended_currencies
from gateway.domain.errors import Invalid, NotFound
from gateway.models import (
    AddressPool,
    Currency,
    Deposit,
    DepositSighting,
    Event,
    Invoice,
    Network,
    PaymentOption,
    Stray,
    Transaction,
)
from gateway.paging import PageRequest, Slice, newest_first

Identity = tuple[str, str, int]
"""Hash, kind and ordinal: a deposit's name inside its network."""

FILTERS = {
    "invoice_id": Deposit.invoice_id,
    "customer_id": Deposit.customer_id,
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


async def require_network(session: AsyncSession, network: str, *, test: bool) -> None:
    """Raise `Invalid` where there is no enabled network of this name and mode."""
    query = select(Network.id).where(
        Network.id == network, Network.enabled, Network.test == test
    )
    if await session.scalar(query) is None:
        raise Invalid.field("/network", "unknown_network", "no such network of this mode")


async def deposit_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
) -> tuple[Slice[Deposit], dict[str, Currency]]:
    """Return one page of the merchant's deposits and the currencies they are in."""
    query = deposits_found(merchant_id, wanted, livemode=livemode)
    found = await newest_first(session, query, Deposit.id, page)
    return found, await currencies_of(session, found.rows)


def deposits_found(
    merchant_id: str, wanted: Mapping[str, str], *, livemode: bool
) -> Select[Deposit]:
    """Return the statement that selects the merchant's deposits of this kind."""
    query = _of_merchant(merchant_id, livemode=livemode)
    for name, value in wanted.items():
        query = query.where(FILTERS[name] == value)
    return query


async def currencies_of(
    session: AsyncSession, deposits: Sequence[Deposit]
) -> dict[str, Currency]:
    """Return the currencies that deposits are in, by id."""
    ids = {row.currency_id for row in deposits}
    rows = await session.scalars(select(Currency).where(Currency.id.in_(ids)))
    return {row.id: row for row in rows}


def _of_merchant(merchant_id: str, *, livemode: bool) -> Select[Deposit]:
    """Select the deposits of a merchant on networks of the mode."""
    return (
        select(Deposit)
        .join(Network, Network.id == Deposit.network_id)
        .where(Deposit.merchant_id == merchant_id, Network.test != livemode)
    )


async def by_identity(
    session: AsyncSession, network: str, hashes: Collection[str]
) -> dict[Identity, Deposit]:
    """Return the deposits of these transactions, locked, by (hash, kind, ordinal)."""
    query = (
        select(Deposit)
        .where(Deposit.network_id == network, Deposit.tx_hash.in_(hashes))
        .order_by(Deposit.id)
        .with_for_update()
    )
    rows = await session.scalars(query)
    return {(row.tx_hash, row.kind, row.ordinal): row for row in rows}


async def accepted(session: AsyncSession, invoice_ids: Collection[str]) -> set[tuple[str, str]]:
    """Return the (invoice, currency) pairs that these invoices may be paid in."""
    query = select(PaymentOption.invoice_id, PaymentOption.currency_id).where(
        PaymentOption.invoice_id.in_(invoice_ids)
    )
    return {(row.invoice_id, row.currency_id) for row in await session.execute(query)}


async def add_sightings(
    session: AsyncSession, seen: Sequence[tuple[Deposit, str, int]], at: datetime
) -> None:
    """Note in which block (hash, height) each deposit stands."""
    places = {
        (deposit.id, block_hash): (deposit, height) for deposit, block_hash, height in seen
    }
    await session.execute(
        _ADD_SIGHTINGS,
        {
            "deposits": [deposit_id for deposit_id, _ in places],
            "hashes": [block_hash for _, block_hash in places],
            "heights": [height for _, height in places.values()],
            "units": [Decimal(deposit.units) for deposit, _ in places.values()],
            "at": at,
        },
    )


async def mark_confirmed(
    session: AsyncSession, deposits: Sequence[Deposit], at: datetime
) -> None:
    """Write that these deposits are final, with one statement."""
    await session.execute(
        update(Deposit)
        .where(Deposit.id.in_([deposit.id for deposit in deposits]))
        .values(status="confirmed", confirmed_at=at)
        .execution_options(synchronize_session=False)
    )
    for deposit in deposits:
        set_committed_value(deposit, "status", "confirmed")
        set_committed_value(deposit, "confirmed_at", at)


async def use_addresses(session: AsyncSession, pool_ids: Collection[int]) -> None:
    """Mark assigned addresses as paid to."""
    await session.execute(
        update(AddressPool)
        .where(AddressPool.id.in_(pool_ids), AddressPool.status == "ASSIGNED")
        .values(status="USED")
        .execution_options(synchronize_session=False)
    )


async def supersede_strays(
    session: AsyncSession, network: str, identities: Collection[Identity]
) -> None:
    """Mark strays that are deposits now: their asset was listed and the block read again."""
    place = tuple_(Stray.tx_hash, Stray.kind, Stray.ordinal)
    await session.execute(
        update(Stray)
        .where(Stray.network_id == network, place.in_(identities))
        .values(status="counted")
        .execution_options(synchronize_session=False)
    )


async def told_per_invoice(
    session: AsyncSession, invoice_ids: Collection[str | None]
) -> Counter[str]:
    """Return how many deposits of each invoice had an event of their own."""
    query = (
        select(Deposit.invoice_id, func.count(func.distinct(Event.subject)))
        .join(Event, Event.subject == Deposit.id)
        .where(Deposit.invoice_id.in_(invoice_ids))
        .group_by(Deposit.invoice_id)
    )
    return Counter({invoice or "": count for invoice, count in await session.execute(query)})


async def told_per_customer(
    session: AsyncSession, customer_ids: Collection[str], since: datetime
) -> Counter[str]:
    """Return how many deposits of each customer, seen since then, had an event of their own."""
    query = (
        select(Deposit.customer_id, func.count(func.distinct(Event.subject)))
        .join(Event, Event.subject == Deposit.id)
        .where(Deposit.customer_id.in_(customer_ids), Deposit.detected_at > since)
        .group_by(Deposit.customer_id)
    )
    return Counter({customer or "": count for customer, count in await session.execute(query)})


async def told_at(session: AsyncSession, deposit: Deposit) -> int:
    """Return how many deposits at the same address had an event of their own."""
    query = (
        select(func.count(func.distinct(Event.subject)))
        .join(Deposit, Deposit.id == Event.subject)
        .where(Deposit.network_id == deposit.network_id, Deposit.address == deposit.address)
    )
    return int(await session.scalar(query) or 0)


async def heard_of(session: AsyncSession, deposit_ids: Sequence[str]) -> set[str]:
    """Return which of these deposits were told to their merchant."""
    query = select(Event.subject).distinct().where(Event.subject.in_(deposit_ids))
    return set(await session.scalars(query))


async def counted_elsewhere(session: AsyncSession, deposit_ids: Sequence[str]) -> set[str]:
    """Return which of these the database refused because a balance difference credited them."""
    query = select(Deposit.id).where(Deposit.id.in_(deposit_ids), Deposit.status == "rejected")
    return set(await session.scalars(query))


async def pending_up_to(
    session: AsyncSession,
    network: str,
    height: int,
    limit: int,
    held: Collection[str] = (),
) -> Sequence[Deposit]:
    """Return pending deposits in blocks up to `height`, but those `held` back; locked.

    Deposits of a suspended asset wait as they are until an operator has looked at it.
    """
    query = (
        select(Deposit)
        .where(
            Deposit.network_id == network,
            Deposit.status == "pending",
            Deposit.block_height <= height,
            Deposit.id.not_in(held),
            Deposit.currency_id.not_in(suspended_currencies()),
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


_ADD_SIGHTINGS = text("""
INSERT INTO deposit_sighting (deposit_id, block_hash, block_height, units, orphaned, seen_at)
SELECT deposit_id, block_hash, block_height, units, false, :at
FROM unnest(CAST(:deposits AS text[]), CAST(:hashes AS text[]), CAST(:heights AS bigint[]),
            CAST(:units AS numeric[])) AS seen (deposit_id, block_hash, block_height, units)
ON CONFLICT (deposit_id, block_hash) DO UPDATE SET orphaned = false
""")


async def fee_of(session: AsyncSession, network: str, tx_hash: str) -> tuple[str, int] | None:
    """Return the coin and the units that a transaction took; None where it took nothing."""
    query = (
        select(Currency.id, Transaction.payer_spent_units)
        .join(Currency, Currency.network_id == Transaction.network_id)
        .where(
            Transaction.network_id == network,
            Transaction.tx_hash == tx_hash,
            Currency.contract.is_(None),
            Transaction.payer_spent_units > 0,
        )
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])
