"""Cursors: one page of a list, newest first. Ids sort by time, so an id is the cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What the caller asked for: up to `limit` rows older than `after` or newer than `before`."""

    limit: int = 20
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Rows newest first; `has_more` looks in the direction of the request."""

    rows: Sequence[Row]
    has_more: bool


async def newest_first(
    session: AsyncSession,
    query: Select[Row],
    cursor: InstrumentedAttribute[str],
    page: PageRequest,
) -> Slice[Row]:
    """Run `query` for one page; `cursor` is the id column that orders it."""
    backwards = page.before is not None and page.after is None
    if page.after is not None:
        query = query.where(cursor < page.after)
    elif page.before is not None:
        query = query.where(cursor > page.before)
    query = query.order_by(cursor.asc() if backwards else cursor.desc())
    found = (await session.scalars(query.limit(page.limit + 1))).all()
    return cut(found, page.limit, backwards=backwards)


def cut(found: Sequence[Any], limit: int, *, backwards: bool) -> Slice[Any]:
    """Make a slice of up to `limit + 1` rows that were read in the direction of the request."""
    rows = found[:limit]
    return Slice(rows[::-1] if backwards else rows, len(found) > limit)
