"""One node of a network: its address, its standing, and what is known about it."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from watchers.providers.breaker import Breaker, State
from watchers.providers.budget import Budget

LATENCY_WEIGHT = 0.2
"""Weight of the newest exchange in the moving average."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One endpoint in figures, for health and metrics. `state` adds `refused`: another chain.

    `latency_ms` is a moving average, None before the first answer; `budget_per_second` 0 is no
    limit; `held_seconds` is how long it still asked to be left alone; `capabilities` are those
    that were seen to work.
    """

    label: str
    state: str
    latency_ms: int | None
    requests: int
    failures: int
    throttled: int
    budget_per_second: float
    held_seconds: int
    head_height: int | None
    capabilities: tuple[str, ...]
    refused: str | None


@dataclass(slots=True, eq=False)
class Endpoint:
    """Mutable record of one node. `url` is a secret (keys live in paths), `label` is not.

    `connections` counts TCP connections made; `known_connections` is that count when its chain
    was last checked, -1 where that has to be done (again). `checks` counts those checks,
    `in_flight` the exchanges of this moment.
    """

    url: str
    label: str
    budget: Budget
    breaker: Breaker = field(default_factory=Breaker)
    latency_s: float | None = None
    requests: int = 0
    failures: int = 0
    throttled: int = 0
    in_flight: int = 0
    connections: int = 0
    known_connections: int = -1
    checks: int = 0
    refused: str | None = None
    head_height: int | None = None
    lagging: bool = False
    capabilities: frozenset[str] = frozenset()
    checking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def identified(self) -> bool:
        """Tell whether its chain was checked on the connections of now."""
        return self.known_connections == self.connections

    def sent(self, now: float) -> float:
        """Count a request; return the seconds that it has to wait for the budget."""
        wait = self.budget.wait(now)
        self.budget = self.budget.spend(now)
        self.requests += 1
        return wait

    def answered(self, began: float, now: float) -> None:
        """Note an answer to an exchange."""
        taken = now - began
        last = taken if self.latency_s is None else self.latency_s
        self.latency_s = last + LATENCY_WEIGHT * (taken - last)
        self.breaker = self.breaker.succeeded(began)

    def failed(self, began: float, now: float) -> None:
        """Note that an exchange failed or its answer was worthless: bench it."""
        self._bench(self.breaker.failed(now, began))

    def refused_more(self, began: float, now: float, retry_after: float | None) -> None:
        """Note that the node declines to answer so often."""
        self.throttled += 1
        self._bench(self.breaker.throttled(now, began, retry_after))

    def _bench(self, breaker: Breaker) -> None:
        self.failures += 1
        self.breaker = breaker
        self.known_connections = -1

    def standing(self, now: float) -> Standing:
        """Return the record in figures."""
        state = "refused" if self.refused else self.breaker.state(now).value
        return Standing(
            label=self.label,
            state=state,
            latency_ms=None if self.latency_s is None else round(self.latency_s * 1000),
            requests=self.requests,
            failures=self.failures,
            throttled=self.throttled,
            budget_per_second=self.budget.per_second,
            held_seconds=max(0, round(self.breaker.held_until - now)),
            head_height=self.head_height,
            capabilities=tuple(sorted(self.capabilities)),
            refused=self.refused,
        )


def labels(urls: list[str]) -> list[str]:
    """Name each URL by host and port alone; two of one host are numbered from the second on."""
    names: list[str] = []
    for url in urls:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        name = f"{host}:{parts.port}" if parts.port is not None else host
        taken = sum(each.partition("#")[0] == name for each in names)
        names.append(f"{name}#{taken + 1}" if taken else name)
    return names


SLOW_FACTOR = 4.0
SLOW_SECONDS_MIN = 0.25


def in_order(
    endpoints: list[Endpoint], now: float, wanted: frozenset[str] = frozenset()
) -> list[Endpoint]:
    """Return those that may be asked, the best first; equals stay in the configured order.

    What comes first: not benched, offers what is wanted, not behind the others, not several
    times slower than the fastest, has budget left. A half-open one is tried with one exchange
    at a time. Among benched ones the next to come off is first. A node of another chain, and
    one that asked to be left alone, are not in the list.
    """
    usable = [each for each in endpoints if not each.refused and not each.breaker.held(now)]
    if len(usable) < 2:
        return usable
    known = [each.latency_s for each in usable if each.latency_s is not None]
    slow = max(SLOW_SECONDS_MIN, SLOW_FACTOR * min(known, default=0.0))

    def worth(each: Endpoint) -> tuple[float, ...]:
        state = each.breaker.state(now)
        return (
            state is State.OPEN,
            state is State.HALF_OPEN and each.in_flight > 0,
            each.breaker.benched_until if state is State.OPEN else 0.0,
            len(wanted - each.capabilities),
            each.lagging,
            each.latency_s is not None and each.latency_s > slow,
            each.budget.wait(now) > 0,
        )

    return sorted(usable, key=worth)
