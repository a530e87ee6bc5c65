"""Many sources, one price: the median of what agrees. Pure.

A source that lies or is wrong by a digit must not set the price of an invoice: what lies farther
from the median than the allowed spread is left out, and too few that agree are no price at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
STEP = Decimal("1e-18")
PRICE_MAX = Decimal("1e18")
AHEAD_MAX = timedelta(minutes=1)
"""How far a source's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One source's price of a whole coin in US dollars."""

    source: str
    code: str
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Demands:
    """What makes quotes a price: their age, how far they may differ, how many agree."""

    max_age: timedelta
    spread_per_mille: int
    at_least: int


def usable(quote: Quote, now: datetime, max_age: timedelta) -> bool:
    """Tell whether a quote is a positive number of our time that a column can hold."""
    young = now - max_age <= quote.at <= now + AHEAD_MAX
    return young and quote.price.is_finite() and STEP <= quote.price < PRICE_MAX


def agreed(quotes: Iterable[Quote], now: datetime, demands: Demands) -> Quote | None:
    """Return the median of the quotes of one code that agree; None where too few do.

    Its `at` is that of the oldest quote in it, and `source` names all of them.
    """
    fresh = [quote for quote in quotes if usable(quote, now, demands.max_age)]
    if not fresh:
        return None
    middle = median([quote.price for quote in fresh])
    limit = CONTEXT.multiply(middle, Decimal(demands.spread_per_mille) / 1000)
    close = [quote for quote in fresh if abs(quote.price - middle) <= limit]
    if len(close) < demands.at_least or 2 * len(close) <= len(fresh):
        return None
    names = sorted(quote.source for quote in close)
    return Quote(
        source=names[0] if len(names) == 1 else f"median({','.join(names)})",
        code=close[0].code,
        price=median([quote.price for quote in close]),
        at=min([now, *(quote.at for quote in close)]),
    )


def median(prices: Sequence[Decimal]) -> Decimal:
    """Return the middle one, or the mean of the two in the middle, to 18 digits."""
    ordered = sorted(prices)
    half = len(ordered) // 2
    if len(ordered) % 2:
        value = ordered[half]
    else:
        value = CONTEXT.divide(CONTEXT.add(ordered[half - 1], ordered[half]), Decimal(2))
    return value.quantize(STEP, context=CONTEXT)
