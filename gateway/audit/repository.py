"""Named queries for those who read the audit log."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gateway.audit.documents import moment_of
from gateway.models import ApiKey, AuditLog, Merchant, User
from gateway.paging import PageRequest, Slice, cut, sole, windowed

Entry = Row[AuditLog, int]
"""A row, and how many of the same tenant and moment are before it."""


async def require_merchant(session: AsyncSession, merchant_id: str) -> None:
    """Raise `NotFound` where there is no such merchant; one that was ended has its entries still."""
    query = select(Merchant.id).where(Merchant.id == merchant_id)
    await sole(session, query, "merchant", merchant_id)


async def own_people(
    session: AsyncSession, merchant_id: str, actors: AbstractSet[str]
) -> AbstractSet[str]:
    """Return who of `actors` is a person or a key of the merchant's, whatever became of it."""
    people = select(User.id).where(User.merchant_id == merchant_id, User.id.in_(actors))
    keys = select(ApiKey.id).where(ApiKey.merchant_id == merchant_id, ApiKey.id.in_(actors))
    return frozenset(await session.scalars(people.union(keys)))


async def entry_page(
    session: AsyncSession,
    merchant_id: str | None,
    page: PageRequest,
    wanted: Mapping[str, Any],
) -> Slice[Entry]:
    """Return one page of a tenant's entries, newest first; None asks for the house's own."""
    twin = aliased(AuditLog)
    place = (
        select(func.count())
        .where(
            twin.merchant_id == merchant_id,
            twin.at == AuditLog.at,
            twin.id < AuditLog.id,
        )
        .scalar_subquery()
    )
    query = select(AuditLog, place).where(_of(merchant_id))
    for name in ("actor", "action", "subject"):
        if name in wanted:
            query = query.where(getattr(AuditLog, name) == wanted[name])
    if "created_from" in wanted:
        query = query.where(AuditLog.at >= wanted["created_from"])
    if "created_before" in wanted:
        query = query.where(AuditLog.at < wanted["created_before"])
    edge = None if page.cursor is None else await _edge(session, merchant_id, page)
    found = await session.execute(windowed(query, (AuditLog.at, AuditLog.id), edge, page))
    return cut(found.all(), page.limit, backwards=page.backwards)


def _of(merchant_id: str | None) -> ColumnElement[bool]:
    return AuditLog.merchant_id == merchant_id  # None becomes IS NULL


async def _edge(
    session: AsyncSession, merchant_id: str | None, page: PageRequest
) -> Row[datetime, int]:
    """Find where the entry that is the cursor stands."""
    named, found = moment_of(page.cursor or ""), None
    if named is not None:
        at, place = named
        query = (
            select(AuditLog.at, AuditLog.id)
            .where(_of(merchant_id), AuditLog.at == at)
            .order_by(AuditLog.id)
            .offset(place)
            .limit(1)
        )
        found = (await session.execute(query)).one_or_none()
    if found is None:
        raise page.unknown_cursor()
    return found
