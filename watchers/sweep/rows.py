"""The rows of sweeping: what waits at pool addresses, what is under way, what the books say."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gateway.models import ApplicationWallet, Attempt, Currency, Cursor, Sweep, Unswept
from watchers.chain import asset_of
from watchers.pay.transactions import OPEN
from watchers.reconcile import books
from watchers.reconcile.balances import Holding
from watchers.reconcile.rules import NOTHING, Expectation

LIVE = ("planned", "funding", "lending", "moving", "returning")
EVERYTHING = 2**62
"""A height that no chain reaches."""
PAGE = 50
"""Waiting addresses that one round looks at."""
RECENT = 5_000
"""Ended sweeps that are asked how they ended: more than end while an address rests."""


async def wallets(session: AsyncSession, network: str) -> dict[str, str]:
    """Return the house's addresses by purpose."""
    query = select(ApplicationWallet).where(ApplicationWallet.network_id == network)
    return {wallet.purpose: wallet.address for wallet in await session.scalars(query)}


async def live(session: AsyncSession, network: str) -> list[Sweep]:
    """Return the sweeps that have not ended, oldest first."""
    query = (
        select(Sweep)
        .where(Sweep.network_id == network, Sweep.state.in_(LIVE))
        .order_by(Sweep.id)
        .execution_options(populate_existing=True)
    )
    return list(await session.scalars(query))


async def busy(session: AsyncSession, network: str) -> set[str]:
    """Return the addresses that a sweep is about, or an open transaction of ours: it empties or feeds them.

    A transaction that was taken over after a restore has no sweep.
    """
    found = {sweep.address for sweep in await live(session, network)}
    found |= await awaited(session, network)
    query = select(Attempt.sender, Attempt.intent).where(
        Attempt.network_id == network, Attempt.state.in_(OPEN)
    )
    for sender, intent in await session.execute(query):
        found |= {sender, *(each["address"] for each in intent.get("sources", []))}
    return found - set((await wallets(session, network)).values())


async def awaited(session: AsyncSession, network: str) -> set[str]:
    """Return the addresses to which gas or energy of ours is on its way."""
    query = select(Attempt.intent["to"].astext).where(
        Attempt.network_id == network,
        Attempt.purpose.in_(("top_up", "resource")),
        Attempt.state.in_(OPEN),
    )
    return {address for address in await session.scalars(query) if address}


async def failed_before(
    session: AsyncSession, network: str, addresses: Collection[str]
) -> set[tuple[str, str]]:
    """Return (currency, address) of those whose last sweep began a transaction and failed."""
    ended = select(Sweep).where(Sweep.network_id == network, Sweep.state.not_in(LIVE))
    recent = aliased(Sweep, ended.order_by(Sweep.id.desc()).limit(RECENT).subquery())
    query = select(recent).where(recent.address.in_(addresses)).order_by(recent.id)
    last = {(row.currency_id, row.address): row for row in await session.scalars(query)}
    return {key for key, row in last.items() if row.state == "failed" and row.steps}


async def locked(session: AsyncSession, *where: ColumnElement[bool]) -> list[Sweep]:
    """Return the sweeps of which this is so, locked, in the order of their ids."""
    query = (
        select(Sweep)
        .where(*where)
        .order_by(Sweep.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(await session.scalars(query))


async def of_order(session: AsyncSession, order_id: str) -> list[Sweep]:
    """Return the sweeps whose transaction under way this is, locked."""
    return await locked(session, Sweep.order_id == order_id)


async def moved_by(session: AsyncSession, order_id: str) -> list[Sweep]:
    """Return the sweeps that this order was to move and whose transaction under way it no longer is."""
    gone_on = Sweep.order_id.is_distinct_from(order_id)
    return await locked(session, Sweep.moving_order == order_id, gone_on)


async def idle_since(session: AsyncSession, sweep: Sweep) -> datetime:
    """Return when the last transaction of a sweep ended; when it was begun, where there is none."""
    orders = (sweep.funding_order, sweep.lending_order)
    ended = select(func.max(Attempt.ended_at)).where(
        Attempt.order_id.in_([each for each in orders if each is not None])
    )
    return await session.scalar(ended) or sweep.created_at


async def waiting(
    session: AsyncSession, network: str, at: datetime, pause: timedelta
) -> list[Unswept]:
    """Return what waits and was not looked at lately, longest ago first."""
    query = (
        select(Unswept)
        .where(
            Unswept.network_id == network,
            or_(Unswept.not_before.is_(None), Unswept.not_before <= at),
            or_(Unswept.looked_at.is_(None), Unswept.looked_at < at - pause),
        )
        .order_by(Unswept.looked_at.asc().nulls_first(), Unswept.since)
        .limit(PAGE)
    )
    return list(await session.scalars(query))


async def final_balances(
    session: AsyncSession,
    network: str,
    currencies: Sequence[Currency],
    addresses: Iterable[str],
    *,
    fee_is_alone: bool,
) -> Mapping[Holding, Expectation]:
    """Return what our rows expect of these addresses at the final height, and what is on its way."""
    query = select(Cursor.final_height).where(Cursor.network_id == network)
    final = await session.scalar(query) or 0
    wanted = list(addresses)
    if not wanted:
        return {}
    return await books.expectations(
        session, network, currencies, wanted, (final, EVERYTHING), fee_is_alone=fee_is_alone
    )


def unsettled(
    balances: Mapping[Holding, Expectation], address: str, currencies: Sequence[Currency]
) -> bool:
    """Tell whether anything at an address is not final yet."""
    return any(
        not balances.get(Holding(address, asset_of(each)), NOTHING).quiet for each in currencies
    )


async def leave(
    session: AsyncSession,
    sweep: Sweep,
    at: datetime,
    *,
    not_before: datetime | None,
    reason: str,
) -> None:
    """Put back what a sweep did not move: it is looked at again."""
    row = as_waiting(sweep, at, units=sweep.units)
    await note(session, row, not_before=not_before, reason=reason)


def as_waiting(sweep: Sweep, at: datetime, *, units: int) -> dict[str, object]:
    """Return the row of so much that a sweep did not move."""
    return {
        "network_id": sweep.network_id,
        "currency_id": sweep.currency_id,
        "address": sweep.address,
        "pool_index": sweep.pool_index,
        "units": units,
        "since": min(sweep.since, at),
    }


async def note(
    session: AsyncSession,
    row: Mapping[str, object],
    *,
    not_before: datetime | None,
    reason: str,
) -> None:
    """Write that something waits at an address, beside what waits there already."""
    statement = insert(Unswept).values(**row, not_before=not_before, reason=reason)
    news = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["currency_id", "address"],
            set_={
                "units": Unswept.units + news.units,
                "since": func.least(Unswept.since, news.since),
                "not_before": news.not_before,
                "reason": news.reason,
            },
        )
    )


async def under_way(session: AsyncSession, network: str, purpose: str) -> list[Attempt]:
    """Return our open transactions of one purpose."""
    query = select(Attempt).where(
        Attempt.network_id == network, Attempt.purpose == purpose, Attempt.state.in_(OPEN)
    )
    return list(await session.scalars(query))


class Cost(NamedTuple):
    """What the sweeps of one asset took together, in native base units; `sweeps` are done.

    What was given up has its part in the cost.
    """

    currency_id: str
    sweeps: int
    cost_units: int
    returned_units: int


async def costs(session: AsyncSession, network: str) -> list[Cost]:
    """Return what sweeping has cost so far, by asset."""
    query = (
        select(
            Sweep.currency_id,
            func.count().filter(Sweep.state == "done"),
            func.sum(Sweep.cost_units),
            func.sum(Sweep.returned_units),
        )
        .where(Sweep.network_id == network, Sweep.state.not_in(LIVE))
        .group_by(Sweep.currency_id)
        .order_by(Sweep.currency_id)
    )
    rows = await session.execute(query)
    return [Cost(row[0], row[1], int(row[2]), int(row[3])) for row in rows]
