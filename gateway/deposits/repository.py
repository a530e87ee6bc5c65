"""Named queries for deposits and the addresses they arrive at."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import suspended_currencies
from gateway.deposits.search import deposits_found, of_merchant
from gateway.domain.errors import Invalid
from gateway.domain.moment import ulid
from gateway.models import (
    Currency,
    Deposit,
    Event,
    Invoice,
    Network,
    PaymentOption,
    Resolution,
    Transaction,
)
from gateway.paging import PageRequest, Slice, newest_first, sole


async def deposit_of(
    session: AsyncSession, merchant_id: str, deposit_id: str, *, livemode: bool
) -> tuple[Deposit, Currency]:
    """Return the merchant's deposit; raise `NotFound` where this caller has no such thing."""
    query = of_merchant(merchant_id, livemode=livemode).where(Deposit.id == deposit_id)
    row = await sole(session, query, "deposit", deposit_id)
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
    wanted: Mapping[str, Any],
    *,
    livemode: bool,
) -> tuple[Slice[Deposit], dict[str, Currency]]:
    """Return one page of the merchant's deposits and the currencies they are in."""
    query = deposits_found(merchant_id, wanted, livemode=livemode)
    found = await newest_first(session, query, Deposit.id, page)
    return found, await currencies_of(session, found.rows)


async def currencies_of(
    session: AsyncSession, deposits: Sequence[Deposit]
) -> dict[str, Currency]:
    """Return the currencies that deposits are in, by id."""
    ids = {row.currency_id for row in deposits}
    rows = await session.scalars(select(Currency).where(Currency.id.in_(ids)))
    return {row.id: row for row in rows}


async def accepted(session: AsyncSession, invoice_ids: Collection[str]) -> set[tuple[str, str]]:
    """Return the (invoice, currency) pairs that these invoices may be paid in."""
    query = select(PaymentOption.invoice_id, PaymentOption.currency_id).where(
        PaymentOption.invoice_id.in_(invoice_ids)
    )
    return {(row.invoice_id, row.currency_id) for row in await session.execute(query)}


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
    """Return how many deposits of each customer, seen since then, had an event of their own.

    Ids begin with the time, so that older deposits are not walked past.
    """
    query = (
        select(Deposit.customer_id, func.count(func.distinct(Event.subject)))
        .join(Event, Event.subject == Deposit.id)
        .where(
            Deposit.customer_id.in_(customer_ids),
            Deposit.id > f"dep_{ulid(since, bytes(10))}",
            Deposit.detected_at > since,
        )
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


async def pending_up_to(
    session: AsyncSession,
    network: str,
    height: int,
    limit: int,
    held: Collection[str],
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


async def assigned(session: AsyncSession, deposit_ids: Collection[str]) -> set[str]:
    """Return which of these an operator assigned."""
    query = select(Resolution.deposit_id).where(
        Resolution.deposit_id.in_(deposit_ids),
        Resolution.kind == "assign",
        Resolution.status == "done",
    )
    return set(await session.scalars(query))
