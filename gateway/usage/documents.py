"""What the world sees of usage."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.usage.counting import BOUNDS_MS, HISTOGRAM

P95 = 95


class UsageRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Requests in one bucket that begins at `at`.

    `p95_ms` is the bound of the histogram's step that holds the 95th percentile, or the slowest
    request where that was faster. `error_rate` counts answers from 500 on.
    """

    at: datetime
    requests: int
    errors_4xx: int
    errors_5xx: int
    rate_limited: int
    error_rate: float
    mean_ms: float
    p95_ms: float
    max_ms: float
    method: str | None = None
    endpoint: str | None = None
    key_id: str | None = None


class UsageDocument(msgspec.Struct, kw_only=True):
    """How the API was used from `since` up to `until`; empty buckets are left out."""

    object: str
    bucket: str
    group: str
    since: datetime
    until: datetime
    data: list[UsageRow]


def usage_row(row: Any) -> UsageRow:
    """Shape one sum of counts."""
    columns: Mapping[str, Any] = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    requests = int(row.requests)
    histogram = [int(columns[name]) for name in HISTOGRAM]
    slowest = int(row.micros_max)
    return UsageRow(
        at=row.at,
        requests=requests,
        errors_4xx=int(row.errors_4xx),
        errors_5xx=int(row.errors_5xx),
        rate_limited=int(row.limited),
        error_rate=round(int(row.errors_5xx) / requests, 4),
        mean_ms=_milliseconds(int(row.micros_sum) // requests),
        p95_ms=_milliseconds(percentile_micros(histogram, slowest, P95)),
        max_ms=_milliseconds(slowest),
        method=columns.get("method"),
        endpoint=columns.get("route"),
        key_id=columns.get("key_id"),
    )


def percentile_micros(histogram: Sequence[int], slowest: int, percent: int) -> int:
    """Return the upper bound of the step in which a percentile lies, `slowest` at most."""
    wanted = -(-sum(histogram) * percent // 100)
    seen = 0
    for count, bound in zip(histogram, BOUNDS_MS, strict=False):
        seen += count
        if seen >= wanted:
            return min(bound * 1000, slowest)
    return slowest


def _milliseconds(micros: int) -> float:
    return round(micros / 1000, 1)
