"""What one coin is worth in the currency of an invoice, now or when a payment was received."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import PriceHistory
from gateway.prices.market import Quote

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


async def newest(session: AsyncSession, at: datetime) -> Sequence[PriceHistory]:
    """Return the newest price of each code that was agreed on up to `at`."""
    query = (
        select(PriceHistory)
        .distinct(PriceHistory.code)
        .where(PriceHistory.quote == QUOTE, PriceHistory.at <= at, PriceHistory.agreed)
        .order_by(PriceHistory.code, PriceHistory.at.desc())
    )
    return (await session.scalars(query)).all()


async def _dollars(session: AsyncSession, code: str, at: datetime, max_age: timedelta) -> Rate:
    if code == QUOTE:
        return Rate(Decimal(1), "identity", at)
    query = (
        select(PriceHistory)
        .where(
            PriceHistory.code == code,
            PriceHistory.quote == QUOTE,
            PriceHistory.at <= at,
            PriceHistory.agreed,
        )
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
    quotes = [Quote(source, code, price, moment.at) for code, price in prices.items()]
    await record_quotes(session, quotes, agreed=True)


async def record_quotes(
    session: AsyncSession, quotes: Iterable[Quote], *, agreed: bool
) -> None:
    """Keep what sources said, or what was agreed on; the same word again changes nothing.

    With a single source its word is the price, too: one row says both.
    """
    rows = [
        {
            "code": quote.code,
            "quote": QUOTE,
            "source": quote.source,
            "price": quote.price,
            "at": quote.at,
            "agreed": agreed,
        }
        for quote in quotes
    ]
    if not rows:
        return
    statement = insert(PriceHistory)
    if agreed:
        statement = statement.on_conflict_do_update(
            index_elements=["code", "quote", "source", "at"],
            set_={"agreed": True, "price": statement.excluded.price},
        )
    else:
        statement = statement.on_conflict_do_nothing()
    await session.execute(statement, rows)
