"""Which payment methods can be offered at this moment, and if not, why not."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.availability import (
    NETWORK_LAGGING,
    POOL_EMPTY,
    PRICE_STALE,
    SUSPENDING,
    MethodAvailability,
    is_lagging,
)
from gateway.catalog.repository import (
    causes_of_holds,
    free_addresses,
    health_of,
    offered,
    priced_since,
)
from gateway.domain.moment import Moment
from gateway.models import Currency, Network
from gateway.settings import Settings

__all__ = [
    "NETWORK_LAGGING",
    "POOL_EMPTY",
    "PRICE_STALE",
    "MethodAvailability",
    "available_methods",
    "is_lagging",
]


async def available_methods(
    session: AsyncSession, settings: Settings, moment: Moment, *, livemode: bool
) -> list[MethodAvailability]:
    """Return every configured method of the mode, by id, each judged for itself."""
    methods = await offered(session, test=not livemode)
    lagging = await _lagging_networks(session, settings, moment, livemode=livemode)
    free = await free_addresses(session, sorted({network.id for _, network in methods}))
    oldest = moment.at - timedelta(seconds=settings.prices.max_age_seconds)
    codes = sorted({currency.code for currency, _ in methods})
    priced = await priced_since(session, codes, since=oldest, until=moment.at)

    held = await causes_of_holds(session)

    def reason(currency: Currency, network: Network) -> str | None:
        for cause, word in SUSPENDING.items():
            if cause in held.get(currency.id, ()):
                return word
        if network.id in lagging:
            return NETWORK_LAGGING
        if not free[network.id]:
            return POOL_EMPTY
        return None if currency.code in priced else PRICE_STALE

    return [
        MethodAvailability(currency, network, reason(currency, network))
        for currency, network in methods
        if network.id in settings.networks
    ]


async def _lagging_networks(
    session: AsyncSession, settings: Settings, moment: Moment, *, livemode: bool
) -> set[str]:
    published = await health_of(session, test=not livemode)
    return {
        network.id
        for network, health in published
        if network.id not in settings.networks
        or is_lagging(health, moment.at, settings.networks[network.id].lag_seconds_max)
    }
