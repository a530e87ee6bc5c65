"""Named queries for orders, proofs and the published policy."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.approvals.documents import Paid
from gateway.domain.errors import NotFound
from gateway.models import (
    AddressBookEntry,
    Approval,
    ApprovalOrder,
    Merchant,
    Network,
    OrderRefusal,
    PolicySnapshot,
    Withdrawal,
)
from gateway.paging import PageRequest, Slice, newest_first

Sight = Mapping[str, str | None]
"""The networks whose orders a caller sees, each with the one merchant whose they are, or None."""
WAITING = ("approved", "signing")
"""States of a withdrawal in which somebody can still be asked."""


async def snapshot_of(session: AsyncSession, network: str) -> PolicySnapshot | None:
    """Return what the network's keystore published last."""
    query = select(PolicySnapshot).where(PolicySnapshot.network_id == network)
    fresh = query.execution_options(populate_existing=True)
    return (await session.scalars(fresh)).one_or_none()


async def snapshots(session: AsyncSession) -> dict[str, PolicySnapshot]:
    """Return every network's published policy."""
    rows = await session.scalars(select(PolicySnapshot))
    return {row.network_id: row for row in rows}


async def newest_order(session: AsyncSession, withdrawal_id: str) -> ApprovalOrder | None:
    """Return the newest revision of a withdrawal's order, expired or not."""
    query = (
        select(ApprovalOrder)
        .where(ApprovalOrder.withdrawal_id == withdrawal_id)
        .order_by(ApprovalOrder.revision.desc())
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


async def approvals_of(
    session: AsyncSession, order_ids: Iterable[str]
) -> dict[str, list[Approval]]:
    """Return the proofs of each of these orders, oldest first."""
    found: dict[str, list[Approval]] = {order_id: [] for order_id in order_ids}
    query = (
        select(Approval)
        .where(Approval.order_id.in_(list(found)))
        .order_by(Approval.at, Approval.approver)
    )
    for row in await session.scalars(query):
        found[row.order_id].append(row)
    return found


async def refusals_of(
    session: AsyncSession, order_ids: Iterable[str]
) -> dict[str, OrderRefusal]:
    """Return the refusal of each of these orders that has one."""
    query = select(OrderRefusal).where(OrderRefusal.order_id.in_(list(order_ids)))
    return {row.order_id: row for row in await session.scalars(query)}


async def order_page(
    session: AsyncSession,
    page: PageRequest,
    sight: Sight,
    *,
    at: datetime,
) -> Slice[ApprovalOrder]:
    """Return one page of what waits for somebody, as far as the caller sees."""
    refused = select(OrderRefusal.order_id).where(OrderRefusal.order_id == ApprovalOrder.id)
    query = (
        select(ApprovalOrder)
        .join(Withdrawal, Withdrawal.id == ApprovalOrder.withdrawal_id)
        .where(
            _seen(sight),
            ApprovalOrder.expires_ms > milliseconds(at),
            Withdrawal.status.in_(WAITING),
            ~refused.exists(),
        )
    )
    return await newest_first(session, query, ApprovalOrder.id, page)


def _seen(sight: Sight) -> ColumnElement[bool]:
    every = [network for network, merchant in sight.items() if merchant is None]
    own = [each for each in sight.items() if each[1] is not None]
    place = tuple_(ApprovalOrder.network_id, ApprovalOrder.merchant_id)
    return or_(ApprovalOrder.network_id.in_(every), place.in_(own))


async def order_with(session: AsyncSession, order_id: str, sight: Sight) -> ApprovalOrder:
    """Return an order; raise `NotFound` where this caller has no such thing."""
    query: Select[Any] = select(ApprovalOrder).where(ApprovalOrder.id == order_id, _seen(sight))
    row: ApprovalOrder | None = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no order {order_id[:64]}")
    return row


async def withdrawals_of(
    session: AsyncSession, withdrawal_ids: Iterable[str]
) -> dict[str, Withdrawal]:
    """Return these withdrawals by id, as they stand now."""
    query = select(Withdrawal).where(Withdrawal.id.in_(list(withdrawal_ids)))
    fresh = query.execution_options(populate_existing=True)
    return {row.id: row for row in await session.scalars(fresh)}


async def merchant_name(session: AsyncSession, merchant_id: str) -> str | None:
    """Return the name of the tenant that is acted for."""
    name: str | None = await session.scalar(
        select(Merchant.name).where(Merchant.id == merchant_id)
    )
    return name


async def book_entry(session: AsyncSession, withdrawal: Withdrawal) -> AddressBookEntry | None:
    """Return the merchant's entry of the destination, if its address book has one."""
    query = select(AddressBookEntry).where(
        AddressBookEntry.merchant_id == withdrawal.merchant_id,
        AddressBookEntry.livemode == withdrawal.livemode,
        AddressBookEntry.network_id == withdrawal.network_id,
        AddressBookEntry.address == withdrawal.destination,
        AddressBookEntry.deleted_at.is_(None),
    )
    return (await session.scalars(query)).one_or_none()


async def paid_before(session: AsyncSession, withdrawal: Withdrawal) -> Paid:
    """Return what the same merchant has paid there in the same currency, as far as it is final."""
    query = select(
        func.count(),
        func.coalesce(func.sum(Withdrawal.units), 0),
        func.min(Withdrawal.completed_at),
        func.max(Withdrawal.completed_at),
    ).where(
        Withdrawal.merchant_id.is_not_distinct_from(withdrawal.merchant_id),
        Withdrawal.livemode == withdrawal.livemode,
        Withdrawal.currency_id == withdrawal.currency_id,
        Withdrawal.destination == withdrawal.destination,
        Withdrawal.status == "completed",
    )
    completed, units, first_at, last_at = (await session.execute(query)).one()
    return Paid(completed, int(units), first_at, last_at)


async def networks_of_mode(session: AsyncSession, *, livemode: bool) -> list[str]:
    """Return the networks that an operator's key of this mode sees."""
    return list(await session.scalars(select(Network.id).where(Network.test != livemode)))


async def add_once(session: AsyncSession, table: type[Any], **values: Any) -> bool:
    """Write a proof or a refusal; return False where there is one already."""
    statement = insert(table).values(**values).on_conflict_do_nothing()
    return (await session.execute(statement.returning(table.order_id))).first() is not None


def milliseconds(at: datetime) -> int:
    """Return Unix time in milliseconds."""
    return int(at.timestamp() * 1000)
