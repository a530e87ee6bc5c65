"""Prices from the configuration, written like any other source's so that they grow old too."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import delete

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import PriceHistory
from gateway.prices.market import PRICE_MAX, STEP
from gateway.prices.service import record
from gateway.settings import Settings, SettingsError

SOURCE = "static"
KEPT = timedelta(days=90)


def static_prices(settings: Settings) -> dict[str, Decimal]:
    """Return US dollars per whole coin by code; raise `SettingsError` naming one that is no price."""
    prices = {code: Decimal(text) for code, text in settings.prices.static.items()}
    for code, price in prices.items():
        if not STEP <= price < PRICE_MAX:
            raise SettingsError(f"prices.static.{code}: more than 0, and less than 10^18")
    return prices


async def price_round(
    database: Database, prices: Mapping[str, Decimal], moment: Moment
) -> None:
    """Write every price anew and drop what is older than 90 days, in one transaction."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        await record(session, dict(prices), source=SOURCE, moment=moment)
        await session.execute(delete(PriceHistory).where(PriceHistory.at < moment.at - KEPT))
