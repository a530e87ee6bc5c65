"""What our own rows say: which addresses matter now, and what each should hold at a height."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, Select, and_, func, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.posting import CUSTODY
from gateway.models import (
    AddressPool,
    ApplicationWallet,
    Currency,
    Deposit,
    Invoice,
    ReconciliationMark,
    Wallet,
)
from watchers.chain import asset_of
from watchers.reconcile.balances import Holding
from watchers.reconcile.moves import every_move
from watchers.reconcile.rules import Expectation, Move

OPEN = ("pending", "processing")
LOOKS = (timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=7))
"""So much after its expiry an invoice is looked at while it is monitored, and when that ends."""


async def application_wallets(session: AsyncSession, network: str) -> list[str]:
    """Return the addresses of the house's own wallets."""
    query = select(ApplicationWallet.address).where(ApplicationWallet.network_id == network)
    return list(await session.scalars(query.order_by(ApplicationWallet.address)))


async def live_addresses(
    session: AsyncSession, network: str, after: int, limit: int
) -> list[tuple[int, str]]:
    """Return the next pool addresses of an open invoice or a customer, or that received anything."""
    awaited = (
        select(AddressPool.id)
        .join(Invoice, Invoice.id == AddressPool.invoice_id)
        .where(AddressPool.network_id == network, Invoice.status.in_(OPEN))
    )
    permanent = select(AddressPool.id).where(
        AddressPool.network_id == network, AddressPool.customer_id.is_not(None)
    )
    paid = (
        select(AddressPool.id)
        .join(
            Deposit,
            and_(
                Deposit.network_id == AddressPool.network_id,
                Deposit.address == AddressPool.address,
            ),
        )
        .where(Deposit.network_id == network, Deposit.status.in_(["pending", "confirmed"]))
    )
    query = (
        select(AddressPool.id, AddressPool.address)
        .where(AddressPool.id > after, AddressPool.id.in_(union_all(awaited, permanent, paid)))
        .order_by(AddressPool.id)
        .limit(limit)
    )
    return [(row.id, row.address) for row in await session.execute(query)]


async def expired_addresses(
    session: AsyncSession, network: str, since: datetime, until: datetime, limit: int
) -> list[tuple[datetime, str]]:
    """Return addresses that are due for a look in `(since, until]`, with the moment, in its order.

    An invoice is looked at when it expires, an hour, a day and a week later, and when it is no longer
    monitored, a settled one too: money may come late, to the address of another method, and without
    a transfer that blocks show. More than `limit` come only where several are due at the same
    moment, for the moment is all that is remembered.
    """
    looks = [_due(network, since - delay, until - delay, delay) for delay in LOOKS]
    last = (
        select(Invoice.monitoring_until.label("moment"), AddressPool.address)
        .join(AddressPool, AddressPool.invoice_id == Invoice.id)
        .where(
            AddressPool.network_id == network,
            Invoice.monitoring_until > since,
            Invoice.monitoring_until <= until,
        )
    )
    due = union_all(*looks, last).subquery()
    query = select(due).order_by(due.c.moment).fetch(limit, with_ties=True)
    return [(row.moment, row.address) for row in await session.execute(query)]


def _due(
    network: str, since: datetime, until: datetime, delay: timedelta
) -> Select[datetime, str]:
    """Select addresses whose invoice expired in `(since, until]` and is monitored for `delay`."""
    return (
        select((Invoice.expires_at + delay).label("moment"), AddressPool.address)
        .join(AddressPool, AddressPool.invoice_id == Invoice.id)
        .where(
            AddressPool.network_id == network,
            Invoice.expires_at > since,
            Invoice.expires_at <= until,
            Invoice.expires_at + delay <= Invoice.monitoring_until if delay else true(),
        )
    )


async def mark_of(session: AsyncSession, network: str) -> datetime | None:
    """Return up to when expired invoices were looked at; None on the first run."""
    query = select(ReconciliationMark.expiries_through).where(
        ReconciliationMark.network_id == network
    )
    return await session.scalar(query)


async def expectations(
    session: AsyncSession,
    network: str,
    currencies: Sequence[Currency],
    addresses: Sequence[str],
    heights: tuple[int, int],
    *,
    fee_is_alone: bool,
) -> dict[Holding, Expectation]:
    """Return what these addresses should hold between the two heights, where it is not nothing."""
    moves = every_move(network, currencies, addresses, fee_is_alone=fee_is_alone).subquery()
    low, high = heights
    inside = moves.c.height > low

    def total(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(moves.c.units).filter(and_(*conditions)), 0)

    query = (
        select(
            moves.c.address,
            moves.c.asset,
            total(moves.c.height <= low).label("base"),
            total(inside, moves.c.units > 0).label("gained"),
            total(inside, moves.c.units < 0).label("lost"),
            func.bool_or(moves.c.undecided).label("undecided"),
        )
        .where(moves.c.height <= high)
        .group_by(moves.c.address, moves.c.asset)
    )
    return {
        Holding(row.address, row.asset): Expectation(
            int(row.base), int(row.gained), -int(row.lost), bool(row.undecided)
        )
        for row in await session.execute(query)
    }


async def moves_of(
    session: AsyncSession,
    network: str,
    currencies: Sequence[Currency],
    holding: Holding,
    *,
    fee_is_alone: bool,
) -> list[Move]:
    """Return every change of one holding that we know of."""
    moves = every_move(
        network, currencies, [holding.address], fee_is_alone=fee_is_alone
    ).subquery()
    query = select(moves.c.height, moves.c.units).where(moves.c.asset == holding.asset)
    return [Move(row.height, int(row.units)) for row in await session.execute(query)]


async def totals(
    session: AsyncSession,
    network: str,
    currencies: Sequence[Currency],
    height: int,
    *,
    fee_is_alone: bool,
) -> dict[str, tuple[int, int]]:
    """Return by asset what is expected on the chain at `height`, and what the ledger owes.

    What is in flight (seen in a final block, not posted yet) counts on the ledger's side too.
    """
    moves = every_move(network, currencies, None, fee_is_alone=fee_is_alone).subquery()
    query = (
        select(
            moves.c.asset,
            func.sum(moves.c.units).label("expected"),
            func.coalesce(func.sum(moves.c.units).filter(moves.c.in_flight), 0).label("flying"),
        )
        .where(moves.c.height <= height)
        .group_by(moves.c.asset)
    )
    sums = {row.asset: row for row in await session.execute(query)}
    custody = await _custody(session, currencies)
    found = {}
    for currency in currencies:
        asset = asset_of(currency)
        row: Row[str, int, int] | None = sums.get(asset)
        expected, flying = (0, 0) if row is None else (int(row[1]), int(row[2]))
        found[asset] = (expected, flying - custody.get(currency.id, 0))
    return found


async def _custody(session: AsyncSession, currencies: Sequence[Currency]) -> dict[str, int]:
    query = select(Wallet.currency_id, Wallet.confirmed).where(
        Wallet.account == CUSTODY, Wallet.currency_id.in_([each.id for each in currencies])
    )
    return {row.currency_id: row.confirmed for row in await session.execute(query)}
