"""Counting requests in memory: nothing here waits, and nothing here is written.

One process holds a few numbers per (merchant, mode, key, endpoint, hour) until they are flushed.
"""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from gateway.domain.actor import Actor

BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
HISTOGRAM = (*(f"le_{bound}" for bound in BOUNDS_MS), "slower")
"""Columns of the fixed histogram, fastest first."""
ENTRIES_MAX = 50_000
"""Beyond this many unwritten entries new ones are dropped, and that is counted."""
TOO_MANY = 429
_HOUR = 3600
_BOUNDS_MICROS = tuple(bound * 1000 for bound in BOUNDS_MS)


class Entry(NamedTuple):
    """Whose requests, to what, in which hour (hours since 1970): a tuple, because it is a key."""

    merchant_id: str
    livemode: bool
    key_id: str
    method: str
    route: str
    hour: int


class Counts:
    """Numbers of one entry."""

    __slots__ = (
        "errors_4xx",
        "errors_5xx",
        "histogram",
        "limited",
        "micros_max",
        "micros_sum",
        "requests",
    )

    def __init__(self) -> None:
        self.requests = self.errors_4xx = self.errors_5xx = self.limited = 0
        self.micros_sum = self.micros_max = 0
        self.histogram = [0] * len(HISTOGRAM)

    def add(self, status: int, micros: int) -> None:
        """Count one request."""
        self.requests += 1
        if status >= 500:
            self.errors_5xx += 1
        elif status >= 400:
            self.errors_4xx += 1
            self.limited += status == TOO_MANY
        self.micros_sum += micros
        self.micros_max = max(self.micros_max, micros)
        self.histogram[bisect_left(_BOUNDS_MICROS, micros)] += 1

    def merge(self, other: "Counts") -> None:
        """Take over what another process or an earlier flush has counted."""
        self.requests += other.requests
        self.errors_4xx += other.errors_4xx
        self.errors_5xx += other.errors_5xx
        self.limited += other.limited
        self.micros_sum += other.micros_sum
        self.micros_max = max(self.micros_max, other.micros_max)
        self.histogram = [a + b for a, b in zip(self.histogram, other.histogram, strict=True)]


class Usage:
    """What this process has counted and not yet written."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._counts: dict[Entry, Counts] = {}
        self.dropped = 0

    def count(
        self,
        actor: Actor | None,
        endpoint: tuple[str, str],
        status: int,
        seconds: float,
        at: datetime,
    ) -> None:
        """Count one answered request of a merchant; others are in the metrics only."""
        if actor is None or actor.merchant_id is None:
            return
        hour = int(at.timestamp()) // _HOUR
        entry = Entry(actor.merchant_id, actor.livemode, actor.key_id, *endpoint, hour)
        counts = self._counts.get(entry)
        if counts is None:
            if len(self._counts) >= self._entries_max:
                self.dropped += 1
                return
            counts = self._counts[entry] = Counts()
        counts.add(status, round(seconds * 1_000_000))

    def taken(self) -> dict[Entry, Counts]:
        """Return everything and begin anew."""
        counts, self._counts = self._counts, {}
        return counts

    def put_back(self, counts: Mapping[Entry, Counts]) -> None:
        """Keep what could not be written, beside what was counted since."""
        for entry, before in counts.items():
            now = self._counts.get(entry)
            if now is not None:
                now.merge(before)
            elif len(self._counts) < self._entries_max:
                self._counts[entry] = before
            else:
                self.dropped += before.requests


def row_of(entry: Entry, counts: Counts) -> dict[str, Any]:
    """Return the columns of one entry, as JSON types."""
    return {
        "merchant_id": entry.merchant_id,
        "livemode": entry.livemode,
        "hour": datetime.fromtimestamp(entry.hour * _HOUR, UTC).isoformat(),
        "route": entry.route,
        "method": entry.method,
        "key_id": entry.key_id,
        "requests": counts.requests,
        "errors_4xx": counts.errors_4xx,
        "errors_5xx": counts.errors_5xx,
        "limited": counts.limited,
        "micros_sum": counts.micros_sum,
        "micros_max": counts.micros_max,
        **dict(zip(HISTOGRAM, counts.histogram, strict=True)),
    }
