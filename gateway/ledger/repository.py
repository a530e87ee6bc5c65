"""Named queries for balances, their entries, and the house's wallets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.ledger.documents import Balance, Entry
from gateway.models import (
    ApplicationWallet,
    ApplicationWalletBalance,
    BalanceHistory,
    Currency,
    Deposit,
    Journal,
    Network,
    Wallet,
)
from gateway.paging import PageRequest, Slice, cut, windowed


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose balance it is: a merchant's own, or that of one of its customers."""

    merchant_id: str
    customer_id: str | None = None

    @property
    def account(self) -> str:
        """Return the account in the ledger."""
        return self.customer_id or self.merchant_id


async def balances_of(
    session: AsyncSession, holder: Holder, *, livemode: bool
) -> list[Balance]:
    """Return one balance per currency of the mode: all enabled ones, and what is left of others."""
    pending = (
        select(Deposit.currency_id, func.sum(Deposit.units).label("units"))
        .where(
            Deposit.merchant_id == holder.merchant_id,
            Deposit.customer_id.is_not_distinct_from(holder.customer_id),
            Deposit.status == "pending",
        )
        .group_by(Deposit.currency_id)
        .subquery()
    )
    query = (
        select(Currency, Wallet.confirmed, Wallet.locked, pending.c.units)
        .join(Network, Network.id == Currency.network_id)
        .outerjoin(
            Wallet,
            (Wallet.currency_id == Currency.id)
            & (Wallet.account == holder.account)
            & (Wallet.merchant_id == holder.merchant_id),
        )
        .outerjoin(pending, pending.c.currency_id == Currency.id)
        .where(
            Network.test != livemode,
            or_(Currency.enabled, Wallet.id.is_not(None), pending.c.units.is_not(None)),
        )
        .order_by(Currency.id)
    )
    return [
        Balance(currency, int(confirmed or 0), int(locked or 0), int(waiting or 0))
        for currency, confirmed, locked, waiting in await session.execute(query)
    ]


async def left_of(session: AsyncSession, account: str, currency_id: str) -> int:
    """Return an account's confirmed balance in base units under its row lock; 0 without a wallet.

    Nobody posts to it until the transaction ends. Who asks for several does so in the order in which
    `post` locks them: by their names, custody last.
    """
    return int(await session.scalar(select(func.left_of(account, currency_id))) or 0)


def entries_found(
    holder: Holder, wanted: Mapping[str, Any], *, livemode: bool
) -> Select[BalanceHistory, Journal, Currency]:
    """Return the statement that selects the holder's entries of this kind."""
    query = (
        select(BalanceHistory, Journal, Currency)
        .join(Journal, Journal.id == BalanceHistory.journal_id)
        .join(Currency, Currency.id == BalanceHistory.currency_id)
        .join(Network, Network.id == Currency.network_id)
        .where(*_of(holder), Network.test != livemode)
    )
    for name, condition in _FILTERS.items():
        if name in wanted:
            query = query.where(condition(wanted[name]))
    return query


_FILTERS: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
    "payment_method": lambda value: BalanceHistory.currency_id == value,
    "currency": lambda value: Currency.code == value,
    "type": lambda value: BalanceHistory.change_type == value.upper(),
    "created_from": lambda value: BalanceHistory.at >= value,
    "created_before": lambda value: BalanceHistory.at < value,
}
"""What each filter asks of an entry."""
ENTRY_ORDER = (BalanceHistory.at, BalanceHistory.wallet_id, BalanceHistory.version)


async def entry_page(
    session: AsyncSession,
    holder: Holder,
    page: PageRequest,
    wanted: Mapping[str, Any],
    *,
    livemode: bool,
) -> Slice[Entry]:
    """Return one page of the holder's entries; the cursor is an entry's id."""
    query = entries_found(holder, wanted, livemode=livemode)
    edge = None if page.cursor is None else await _entry_place(session, holder, page)
    found = await session.execute(windowed(query, ENTRY_ORDER, edge, page))
    return cut([Entry(*row) for row in found], page.limit, backwards=page.backwards)


async def wallets(
    session: AsyncSession, *, livemode: bool
) -> list[tuple[ApplicationWallet, list[tuple[ApplicationWalletBalance, Currency]]]]:
    """Return the house's wallets on networks of the mode, each with what it holds."""
    query: Select[ApplicationWallet, ApplicationWalletBalance | None, Currency | None] = (
        select(ApplicationWallet, ApplicationWalletBalance, Currency)
        .join(Network, Network.id == ApplicationWallet.network_id)
        .outerjoin(
            ApplicationWalletBalance,
            ApplicationWalletBalance.wallet_id == ApplicationWallet.id,
        )
        .outerjoin(Currency, Currency.id == ApplicationWalletBalance.currency_id)
        .where(Network.test != livemode)
        .order_by(ApplicationWallet.network_id, ApplicationWallet.id, Currency.id)
        .execution_options(populate_existing=True)
    )
    holdings: dict[str, list[tuple[ApplicationWalletBalance, Currency]]] = {}
    found: dict[str, ApplicationWallet] = {}
    for wallet, holding, currency in await session.execute(query):
        found[wallet.id] = wallet
        of_wallet = holdings.setdefault(wallet.id, [])
        if holding is not None and currency is not None:
            of_wallet.append((holding, currency))
    return [(wallet, holdings[wallet.id]) for wallet in found.values()]


def _of(holder: Holder) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        BalanceHistory.account == holder.account,
        BalanceHistory.merchant_id == holder.merchant_id,
    )


async def _entry_place(
    session: AsyncSession, holder: Holder, page: PageRequest
) -> Row[object, int, int]:
    """Find where the entry that is the cursor stands in the order of entries."""
    name, _, version = (page.cursor or "").rpartition("_")
    place = None
    if version.isascii() and version.isdecimal() and len(version) < 19:
        query = select(*ENTRY_ORDER).where(
            *_of(holder),
            BalanceHistory.currency_id == name.removeprefix("bal_"),
            BalanceHistory.version == int(version),
        )
        place = (await session.execute(query)).one_or_none()
    if place is None:
        raise page.unknown_cursor()
    return place
