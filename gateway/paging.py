"""One row or one page of a list, newest first. Ids sort by time, so an id is the cursor.

An id says by its beginning which list it stands in: one of another kind is no place in this list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, TypeVarTuple

from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from gateway.domain.errors import Invalid, NotFound
from gateway.domain.moment import made_at, ulid

Row = TypeVar("Row")
Rows = TypeVarTuple("Rows")
_FIRST, _LAST = bytes(10), b"\xff" * 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGINNINGS = {
    "address_book_entry": "adr",
    "api_key": "key",
    "approval_order": "aor",
    "commission": "com",
    "customer": "cus",
    "customer_transfer": "ctr",
    "deposit": "dep",
    "event": "evt",
    "invitation": "ivt",
    "merchant": "mer",
    "notification": "ntf",
    "package": "pkg",
    "pause": "pse",
    "payout_rule": "rul",
    "referral": "ref",
    "referral_code": "rfc",
    "referral_schedule": "rfs",
    "resolution": "res",
    "stray": "dep",
    "subscription": "sub",
    "users": "usr",
    "webhook_delivery": "whd",
    "withdrawal": "wdr",
    "withdrawal_batch": "wba",
}
"""What the ids of a table's rows begin with, of each that is read by pages in their order."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What the caller asked for: up to `limit` rows older than `after` or newer than `before`."""

    limit: int = 20
    after: str | None = None
    before: str | None = None

    @property
    def backwards(self) -> bool:
        """Tell whether it is read from its older end."""
        return self.before is not None and self.after is None

    @property
    def cursor(self) -> str | None:
        """Return where it begins, None at the list's own beginning."""
        return self.before if self.backwards else self.after

    @property
    def parameter(self) -> str:
        """Return the name under which callers give the cursor."""
        return "ending_before" if self.backwards else "starting_after"

    def edge(self, beginning: str) -> str | None:
        """Return the cursor of a list whose ids begin so; refuse what is no such id."""
        if self.cursor is not None and not is_id(self.cursor, beginning):
            raise self.unknown_cursor()
        return self.cursor

    def unknown_cursor(self) -> Invalid:
        """Refuse the cursor by the name of its parameter."""
        name = self.parameter
        return Invalid.field(f"/{name}", "unknown_cursor", f"{name}: no cursor of this list")


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Rows newest first; `has_more` looks in the direction of the request."""

    rows: Sequence[Row]
    has_more: bool


def is_id(text: str, beginning: str) -> bool:
    """Tell whether a text has the form of such an object's id, as `Moment.id` makes them."""
    name, _, _ = text.rpartition("_")
    return name == beginning and made_at(text) is not None


async def newest_first(
    session: AsyncSession,
    query: Select[Row],
    cursor: InstrumentedAttribute[str],
    page: PageRequest,
) -> Slice[Row]:
    """Run `query` for one page; `cursor` is the id column that orders it."""
    edge = page.edge(_BEGINNINGS[cursor.class_.__tablename__])
    if edge is not None:
        query = query.where(cursor > edge if page.backwards else cursor < edge)
    query = query.order_by(cursor.asc() if page.backwards else cursor.desc())
    found = (await session.scalars(query.limit(page.limit + 1))).all()
    return cut(found, page.limit, backwards=page.backwards)


def made_between(
    query: Select[Row],
    id_: InstrumentedAttribute[str],
    at: InstrumentedAttribute[datetime],
    wanted: Mapping[str, Any],
    prefix: str,
) -> Select[Row]:
    """Narrow rows to those made from `created_from` on and before `created_before`, where wanted.

    Ids begin with the time, so that the index of a list finds where they are.
    """
    since, before = wanted.get("created_from"), wanted.get("created_before")
    if since is not None:
        query = query.where(at >= since, id_ >= f"{prefix}_{ulid(max(since, _EPOCH), _FIRST)}")
    if before is not None:
        query = query.where(at < before, id_ <= f"{prefix}_{ulid(max(before, _EPOCH), _LAST)}")
    return query


def windowed(
    query: Select[*Rows],
    place: Sequence[InstrumentedAttribute[Any]],
    edge: Sequence[Any] | None,
    page: PageRequest,
) -> Select[*Rows]:
    """Narrow a statement to one page and a row more, in an order of several columns.

    `edge` are the values of these columns where the cursor stands.
    """
    if edge is not None:
        here, there = tuple_(*place), tuple_(*edge)
        query = query.where(here > there if page.backwards else here < there)
    order = [column.asc() if page.backwards else column.desc() for column in place]
    return query.order_by(*order).limit(page.limit + 1)


async def sole(
    session: AsyncSession, query: Select[Row], what: str, wanted: str, *, lock: bool = False
) -> Row:
    """Return the row that the caller sees under this id; raise `NotFound` where there is none.

    With `lock` it is read anew under its row lock.
    """
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no {what} {wanted[:64]}")
    return row


def cut(found: Sequence[Any], limit: int, *, backwards: bool) -> Slice[Any]:
    """Make a slice of up to `limit + 1` rows that were read in the direction of the request."""
    rows = found[:limit]
    return Slice(rows[::-1] if backwards else rows, len(found) > limit)
