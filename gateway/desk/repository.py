"""Named queries of the operator's desk. The database shows these rows to operators' keys only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.desk.documents import ResolutionDocument, resolution_document
from gateway.domain.errors import NotFound
from gateway.domain.hashes import spellings
from gateway.models import (
    ApplicationWallet,
    Currency,
    Deposit,
    Network,
    Resolution,
    Stray,
    StrayDay,
    Withdrawal,
)
from gateway.paging import PageRequest, Slice, cut, newest_first

LIVE = ("pending", "approved", "paying", "done")
SUPPRESSED_SHOWN = 100


async def unattributed_page(
    session: AsyncSession, page: PageRequest, wanted: Mapping[str, str], *, livemode: bool
) -> Slice[Deposit | Stray]:
    """Return one page of what is nobody's, on networks of the mode: deposits and strays as one list."""
    deposits = _narrowed(Deposit, wanted, livemode=livemode)
    deposits = deposits.where(Deposit.purpose == "unattributed")
    strays = _narrowed(Stray, wanted, livemode=livemode).where(Stray.status != "counted")
    if "payment_method" in wanted:
        deposits = deposits.where(Deposit.currency_id == wanted["payment_method"])
        strays = strays.where(Stray.id.is_(None))
    found = await newest_first(session, deposits, Deposit.id, page)
    beside = await newest_first(session, strays, Stray.id, page)
    rows: list[Deposit | Stray] = [*found.rows, *beside.rows]
    rows.sort(key=lambda row: row.id, reverse=not page.backwards)
    merged = cut(rows, page.limit, backwards=page.backwards)
    more = merged.has_more or found.has_more or beside.has_more
    return Slice(merged.rows, more)


def _narrowed(
    table: type[Deposit | Stray], wanted: Mapping[str, str], *, livemode: bool
) -> Select[Any]:
    query = (
        select(table)
        .join(Network, Network.id == table.network_id)
        .where(Network.test != livemode)
    )
    columns = {
        "reason": table.reason,
        "network": table.network_id,
        "address": table.address,
    }
    for name in columns.keys() & wanted.keys():
        query = query.where(columns[name] == wanted[name])
    if "tx_hash" in wanted:
        query = query.where(table.tx_hash.in_(spellings(wanted["tx_hash"])))
    return query


async def shaped(
    session: AsyncSession, resolutions: Sequence[Resolution]
) -> list[ResolutionDocument]:
    """Shape resolutions, each with the withdrawal of its refund."""
    ids = [row.withdrawal_id for row in resolutions if row.withdrawal_id is not None]
    query = select(Withdrawal).where(Withdrawal.id.in_(ids))
    payouts = {row.id: row for row in await session.scalars(query)}
    return [
        resolution_document(row, payouts.get(row.withdrawal_id or "")) for row in resolutions
    ]


async def latest(
    session: AsyncSession, deposit_ids: Iterable[str]
) -> dict[str, ResolutionDocument]:
    """Return the newest resolution of each of these deposits that has one."""
    query = (
        select(Resolution)
        .where(Resolution.deposit_id.in_(list(deposit_ids)))
        .order_by(Resolution.id)
    )
    found = await shaped(session, (await session.scalars(query)).all())
    return {document.deposit_id: document for document in found}


async def suppressed(
    session: AsyncSession, address: str | None, *, livemode: bool
) -> Sequence[StrayDay]:
    """Return the newest days on which strays were only counted."""
    query = (
        select(StrayDay)
        .join(Network, Network.id == StrayDay.network_id)
        .where(Network.test != livemode, StrayDay.dropped > 0)
        .order_by(StrayDay.day.desc(), StrayDay.network_id, StrayDay.address, StrayDay.asset)
        .limit(SUPPRESSED_SHOWN)
    )
    if address is not None:
        query = query.where(StrayDay.address == address)
    return (await session.scalars(query)).all()


async def nobodys(
    session: AsyncSession, deposit_id: str, *, livemode: bool
) -> tuple[Deposit, Currency, Network]:
    """Return a deposit that belongs to nobody; raise `NotFound` where there is none."""
    query = (
        select(Deposit, Currency, Network)
        .join(Currency, Currency.id == Deposit.currency_id)
        .join(Network, Network.id == Deposit.network_id)
        .where(Deposit.id == deposit_id, Network.test != livemode)
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no unattributed deposit {deposit_id[:64]}")
    return row[0], row[1], row[2]


async def stray_of(session: AsyncSession, deposit_id: str) -> tuple[str, bool] | None:
    """Return why a stray is in no ledger, and whether a wallet of the operator's own holds it.

    None where the id is no stray's.
    """
    wallet = select(ApplicationWallet.id).where(
        ApplicationWallet.network_id == Stray.network_id,
        ApplicationWallet.address == Stray.address,
    )
    query = select(Stray.reason, wallet.exists()).where(Stray.id == deposit_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def add_unless_live(session: AsyncSession, values: Mapping[str, Any]) -> bool:
    """Write a resolution; return False where its deposit has one that is open or done."""
    statement = (
        insert(Resolution)
        .values(**values)
        .on_conflict_do_nothing(
            index_elements=[Resolution.deposit_id], index_where=Resolution.status.in_(LIVE)
        )
        .returning(Resolution.id)
    )
    return await session.scalar(statement) is not None


async def resolution_of(
    session: AsyncSession, resolution_id: str, *, livemode: bool
) -> Resolution:
    """Return a resolution; raise `NotFound` where this caller has no such thing."""
    query = _resolutions(livemode=livemode).where(Resolution.id == resolution_id)
    row = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound(f"there is no resolution {resolution_id[:64]}")
    return row


async def resolution_page(
    session: AsyncSession, page: PageRequest, wanted: Mapping[str, str], *, livemode: bool
) -> Slice[Resolution]:
    """Return one page of resolutions on networks of the mode."""
    query = _resolutions(livemode=livemode)
    columns = {"status": Resolution.status, "deposit_id": Resolution.deposit_id}
    for name, value in wanted.items():
        query = query.where(columns[name] == value)
    return await newest_first(session, query, Resolution.id, page)


def _resolutions(*, livemode: bool) -> Select[Resolution]:
    return (
        select(Resolution)
        .join(Network, Network.id == Resolution.network_id)
        .where(Network.test != livemode)
    )
