"""What one coin is worth in the currency of an invoice, now or when a payment was received."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import PriceHistory

QUOTE = "USD"
RATE = Context(prec=60, rounding=ROUND_HALF_EVEN)
RATE_STEP = Decimal("1e-18")


@dataclass(frozen=True, slots=True)
class Rate:
    """Worth of one whole coin; `at` is the age of the older price it was made from."""

    value: Decimal
    source: str
    at: datetime


class PriceMissing(Exception):
    """There is no price, or none young enough."""


async def rate(
    session: AsyncSession, code: str, currency: str, *, at: datetime, max_age: timedelta
) -> Rate:
    """Return the worth of one `code` in `currency` by the newest prices up to `at`.

    A coin in its own code is worth exactly 1. Other pairs are made through US dollars, where
    one dollar needs no price. Raises `PriceMissing` naming what is missing or stale.
    """
    if code == currency:
        return Rate(Decimal(1), "identity", at)
    coin = await _dollars(session, code, at, max_age)
    money = await _dollars(session, currency, at, max_age)
    value = RATE.divide(coin.value, money.value).quantize(RATE_STEP, context=RATE)
    if value <= 0:
        raise PriceMissing(f"{code} in {currency} is below the smallest rate")
    source = coin.source if currency == QUOTE else f"{coin.source}/{money.source}"
    return Rate(value, source, min(coin.at, money.at))


async def _dollars(session: AsyncSession, code: str, at: datetime, max_age: timedelta) -> Rate:
    if code == QUOTE:
        return Rate(Decimal(1), "identity", at)
    query = (
        select(PriceHistory)
        .where(PriceHistory.code == code, PriceHistory.quote == QUOTE, PriceHistory.at <= at)
        .order_by(PriceHistory.at.desc())
        .limit(1)
    )
    price = (await session.scalars(query)).one_or_none()
    if price is None:
        raise PriceMissing(f"no price for {code}")
    if at - price.at > max_age:
        raise PriceMissing(f"the price of {code} is older than {max_age}")
    return Rate(price.price, price.source, price.at)


async def record(
    session: AsyncSession, prices: dict[str, Decimal], *, source: str, moment: Moment
) -> None:
    """Keep one price in US dollars per code."""
    rows = [
        {"code": code, "quote": QUOTE, "source": source, "price": price, "at": moment.at}
        for code, price in prices.items()
    ]
    if rows:
        await session.execute(insert(PriceHistory).on_conflict_do_nothing(), rows)
