"""What networks, methods and prices are now, read once for many invoices.

Watchers and the worker publish it every few seconds; an invoice need not ask for it anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog import repository
from gateway.domain.moment import Moment
from gateway.models import Currency, Network, NetworkHealth, PriceHistory
from gateway.prices.service import newest_of
from gateway.rows import Plain

_CURRENCY, _NETWORK = Plain(Currency, "c"), Plain(Network, "n")
_HEALTH, _PRICE = Plain(NetworkHealth, "h"), Plain(PriceHistory, "p")
SHELF = "catalog"
"""Where `Database.info`, and so every session of it, carries the `Shelf`, if there is one."""


@dataclass(frozen=True, slots=True)
class Published:
    """Rows of one moment, belonging to no session; `prices` are the newest, by code."""

    offered: Sequence[tuple[Currency, Network]]
    health: Mapping[str, NetworkHealth | None]
    free: Mapping[str, int]
    held: Mapping[str, set[str]]
    prices: Mapping[str, PriceHistory]


class Shelf:
    """Keeps what was read for `seconds`, by mode. `clock` counts seconds and never goes back."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[bool, tuple[float, Published]] = {}
        self._reading: dict[bool, float] = {}

    def take(self, *, test: bool) -> Published | None:
        """Return what was read lately; None asks the caller to read it and to `keep` it.

        While one caller reads anew the others take what was there, for as long again at most.
        """
        now, kept = self._clock(), self._kept.get(test)
        if kept is None or now - kept[0] >= 2 * self._seconds:
            return None
        if now - kept[0] < self._seconds or self._reading.get(test, kept[0]) > kept[0]:
            return kept[1]
        self._reading[test] = now
        return None

    def network_of(self, method: str, *, test: bool) -> str | None:
        """Return the network of a method by what was read last, however old: it never changes."""
        kept = self._kept.get(test)
        offered = () if kept is None else kept[1].offered
        return next((network.id for coin, network in offered if coin.id == method), None)

    def keep(self, found: Published, *, test: bool) -> None:
        """Put what was just read in the place of what was there."""
        self._kept[test] = (self._clock(), found)


async def published(session: AsyncSession, moment: Moment, *, test: bool) -> Published:
    """Return what stands for networks that are marked `test`, or for the others."""
    shelf: Shelf | None = session.info.get(SHELF)
    found = None if shelf is None else shelf.take(test=test)
    if found is None:
        found = await _read(session, moment.at, test=test)
        if shelf is not None:
            shelf.keep(found, test=test)
    return found


async def _read(session: AsyncSession, at: datetime, *, test: bool) -> Published:
    offered = await repository.offered(session, test=test)
    health = await repository.health_of(session, test=test)
    networks = sorted({network.id for _, network in offered})
    prices = await newest_of(session, at)
    # A rollback would take back what entities hold.
    return Published(
        offered=[(_CURRENCY.copy(coin), _NETWORK.copy(network)) for coin, network in offered],
        health={
            network.id: None if row is None else _HEALTH.copy(row) for network, row in health
        },
        free=await repository.free_addresses(session, networks),
        held=await repository.causes_of_holds(session),
        prices={code: _PRICE.copy(row) for code, row in prices.items()},
    )
