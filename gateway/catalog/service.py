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
from gateway.catalog.published import Published, published
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
    "judged",
]


async def available_methods(
    session: AsyncSession, settings: Settings, moment: Moment, *, livemode: bool
) -> list[MethodAvailability]:
    """Return every configured method of the mode, by id, each judged for itself."""
    return judged(await published(session, moment, test=not livemode), settings, moment)


def judged(found: Published, settings: Settings, moment: Moment) -> list[MethodAvailability]:
    """Judge each configured method by what was published."""
    oldest = moment.at - timedelta(seconds=settings.prices.max_age_seconds)

    def reason(currency: Currency, network: Network) -> str | None:
        for cause, word in SUSPENDING.items():
            if cause in found.held.get(currency.id, ()):
                return word
        seconds_max = settings.networks[network.id].lag_seconds_max
        if is_lagging(found.health.get(network.id), moment.at, seconds_max):
            return NETWORK_LAGGING
        if not found.free[network.id]:
            return POOL_EMPTY
        price = found.prices.get(currency.code)
        return None if price is not None and price.at >= oldest else PRICE_STALE

    return [
        MethodAvailability(currency, network, reason(currency, network))
        for currency, network in found.offered
        if network.id in settings.networks
    ]
