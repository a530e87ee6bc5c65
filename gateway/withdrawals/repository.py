"""Named queries for withdrawals."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.hashes import spellings
from gateway.models import BalanceHistory, Currency, Journal, Withdrawal
from gateway.paging import PageRequest, Slice, made_between, newest_first, sole

FILTERS = {
    "status": Withdrawal.status,
    "payment_method": Withdrawal.currency_id,
    "reference": Withdrawal.reference,
    "batch_id": Withdrawal.batch_id,
    "invoice_id": Withdrawal.invoice_id,
    "customer_id": Withdrawal.customer_id,
}
"""What a merchant's list can be narrowed to, beside transaction and time."""


async def add_unless_referenced(session: AsyncSession, values: Mapping[str, Any]) -> bool:
    """Write a withdrawal; return False where the merchant has used its reference in this mode."""
    columns = {getattr(Withdrawal, name): value for name, value in values.items()}
    statement = (
        insert(Withdrawal)
        .values(columns)
        .on_conflict_do_nothing(
            index_elements=[Withdrawal.merchant_id, Withdrawal.livemode, Withdrawal.reference],
            index_where=Withdrawal.reference.is_not(None),
        )
        .returning(Withdrawal.id)
    )
    return await session.scalar(statement) is not None


async def is_referenced(
    session: AsyncSession, merchant_id: str, reference: str, *, livemode: bool
) -> bool:
    """Tell whether the merchant has used this reference in this mode."""
    query = select(Withdrawal.id).where(
        Withdrawal.merchant_id == merchant_id,
        Withdrawal.livemode == livemode,
        Withdrawal.reference == reference,
    )
    return await session.scalar(query) is not None


async def withdrawal_of(
    session: AsyncSession,
    merchant_id: str,
    withdrawal_id: str,
    *,
    livemode: bool,
    lock: bool = False,
) -> Withdrawal:
    """Return the merchant's withdrawal; raise `NotFound` where this caller has no such thing."""
    query = select(Withdrawal).where(
        Withdrawal.id == withdrawal_id,
        Withdrawal.merchant_id == merchant_id,
        Withdrawal.livemode == livemode,
    )
    return await sole(session, query, "withdrawal", withdrawal_id, lock=lock)


async def withdrawal_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, Any],
    *,
    livemode: bool,
) -> Slice[Withdrawal]:
    """Return one page of the merchant's withdrawals."""
    query = withdrawals_found(merchant_id, wanted, livemode=livemode)
    return await newest_first(session, query, Withdrawal.id, page)


def withdrawals_found(
    merchant_id: str, wanted: Mapping[str, Any], *, livemode: bool
) -> Select[Withdrawal]:
    """Return the statement that selects the merchant's withdrawals of this kind."""
    query = select(Withdrawal).where(
        Withdrawal.merchant_id == merchant_id, Withdrawal.livemode == livemode
    )
    query = made_between(query, Withdrawal.id, Withdrawal.created_at, wanted, "wdr")
    if "tx_hash" in wanted:
        query = query.where(Withdrawal.tx_hash.in_(spellings(wanted["tx_hash"])))
    for name, column in FILTERS.items():
        if name in wanted:
            query = query.where(column == wanted[name])
    return query


async def currencies_of(
    session: AsyncSession, withdrawals: Iterable[Withdrawal]
) -> dict[str, tuple[Currency, Currency]]:
    """Return, per currency id, the currency and the coin of its network."""
    networks = {withdrawal.network_id for withdrawal in withdrawals}
    rows = list(
        await session.scalars(select(Currency).where(Currency.network_id.in_(networks)))
    )
    native = {row.network_id: row for row in rows if row.contract is None}
    return {row.id: (row, native[row.network_id]) for row in rows}


async def locked(session: AsyncSession, withdrawal_id: str) -> Withdrawal | None:
    """Return the withdrawal with its row lock, or None where this caller sees none."""
    query = (
        select(Withdrawal)
        .where(Withdrawal.id == withdrawal_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).one_or_none()


async def native_currency(session: AsyncSession, network_id: str) -> Currency:
    """Return the coin in which a network takes its fees."""
    query = select(Currency).where(
        Currency.network_id == network_id, Currency.contract.is_(None)
    )
    return (await session.scalars(query)).one()


async def held_units(session: AsyncSession, withdrawal_id: str) -> int:
    """Return what the ledger locked for a withdrawal, whatever its row says by now."""
    query = (
        select(func.coalesce(func.sum(BalanceHistory.delta_locked), 0))
        .join(Journal, Journal.id == BalanceHistory.journal_id)
        .where(Journal.kind == "hold", Journal.ref == withdrawal_id)
    )
    return int(await session.scalar(query) or 0)
