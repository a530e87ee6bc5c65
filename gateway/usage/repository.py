"""Named queries for usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import UsageDay, UsageHour
from gateway.usage.rolling import SUMS

Bucket = Literal["hour", "day"]
Group = Literal["endpoint", "key", "none"]
ROWS_MAX = 5000


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` up to and without `until`, in hours or days."""

    since: datetime
    until: datetime
    bucket: Bucket


async def usage_of(
    session: AsyncSession, merchant_id: str, span: Span, group: Group, *, livemode: bool | None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return one row per bucket and group, oldest first; one more than `ROWS_MAX` at most."""
    table: Any = UsageHour if span.bucket == "hour" else UsageDay
    at = table.hour if span.bucket == "hour" else table.day
    parts = {
        "endpoint": [table.route, table.method], "key": [table.key_id], "none": [],
    }[group]  # fmt: skip
    sums = [func.sum(getattr(table, name)).label(name) for name in SUMS]
    query = (
        select(at.label("at"), *parts, *sums, func.max(table.micros_max).label("micros_max"))
        .where(table.merchant_id == merchant_id, at >= span.since, at < span.until)
        .group_by(at, *parts)
        .order_by(at, *parts)
        .limit(ROWS_MAX + 1)
    )
    if livemode is not None:
        query = query.where(table.livemode == livemode)
    return (await session.execute(query)).all()
