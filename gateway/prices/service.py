"""What one coin is worth in the currency of an invoice, now or when a payment was received."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select, true, union
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gateway.domain.moment import Moment
from gateway.domain.money import FIAT_DECIMALS
from gateway.models import Currency, PriceHistory
from gateway.prices.market import CONTEXT, STEP, Quote

QUOTE = "USD"


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
    known = {
        each: await _newest(session, each, at) for each in (code, currency) if each != QUOTE
    }
    return rate_by(known, code, currency, at=at, max_age=max_age)


def rate_by(
    known: Mapping[str, PriceHistory | None],
    code: str,
    currency: str,
    *,
    at: datetime,
    max_age: timedelta,
) -> Rate:
    """Return the same by prices that were read already."""
    if code == currency:
        return Rate(Decimal(1), "identity", at)
    coin = _dollars(known, code, at, max_age)
    money = _dollars(known, currency, at, max_age)
    value = CONTEXT.divide(coin.value, money.value).quantize(STEP, context=CONTEXT)
    if value <= 0:
        raise PriceMissing(f"{code} in {currency} is below the smallest rate")
    source = coin.source if currency == QUOTE else f"{coin.source}/{money.source}"
    return Rate(value, source, min(coin.at, money.at))


async def newest(session: AsyncSession, at: datetime) -> Sequence[PriceHistory]:
    """Return the newest price of each code that was agreed on up to `at`."""
    fiat = select(func.unnest(array(sorted(FIAT_DECIMALS))))
    codes = union(select(Currency.code), fiat).subquery()
    # One step into the index per code: the history is long.
    newest_one = (
        select(PriceHistory)
        .where(
            PriceHistory.code == codes.c.code,
            PriceHistory.quote == QUOTE,
            PriceHistory.at <= at,
            PriceHistory.agreed,
        )
        .order_by(PriceHistory.at.desc())
        .limit(1)
        .lateral()
    )
    row = aliased(PriceHistory, newest_one)
    query = select(row).select_from(codes.join(newest_one, true())).order_by(row.code)
    return (await session.scalars(query)).all()


async def newest_of(session: AsyncSession, at: datetime) -> dict[str, PriceHistory]:
    """Return the same by code."""
    return {row.code: row for row in await newest(session, at)}


def _dollars(
    known: Mapping[str, PriceHistory | None], code: str, at: datetime, max_age: timedelta
) -> Rate:
    if code == QUOTE:
        return Rate(Decimal(1), "identity", at)
    price = known.get(code)
    if price is None:
        raise PriceMissing(f"no price for {code}")
    if at - price.at > max_age:
        raise PriceMissing(f"the price of {code} is older than {max_age}")
    return Rate(price.price, price.source, price.at)


async def _newest(session: AsyncSession, code: str, at: datetime) -> PriceHistory | None:
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
    return (await session.scalars(query)).one_or_none()


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
