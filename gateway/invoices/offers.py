"""How an invoice may be paid: which methods, at which locked rate, for how many base units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import NoReturn

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.published import Published, published
from gateway.catalog.service import PRICE_STALE, MethodAvailability, judged
from gateway.domain.errors import FieldFault, Invalid, Unavailable
from gateway.domain.fields import amount as amount_field
from gateway.domain.moment import Moment
from gateway.domain.money import FIAT_DECIMALS, to_text, units_due
from gateway.domain.tax import with_tax
from gateway.models import Currency, Network, PriceHistory
from gateway.prices import service as prices
from gateway.prices.service import PriceMissing, Rate
from gateway.settings import Settings

AMOUNT_END = Decimal(10) ** 20
"""The schema keeps 20 digits before the point and 18 after it."""
TOO_SMALL = "amount_too_small"
"""What pays the invoice would be dust: recorded, and never credited to it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One payment method and what would pay the whole invoice in it, None for an open amount."""

    currency: Currency
    network: Network
    rate: Rate
    units: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the merchant wants to be paid; without `methods` what is usual, else what there is.

    `amount` None takes whatever comes. `tax` is a percentage that goes on top of the amount. What
    is not `by_chain` is paid out of a balance, where no payment is too small.
    """

    amount: str | None
    currency: str
    methods: Sequence[str] | None
    usual: Sequence[str] | None = None
    tax: Decimal | None = None
    by_chain: bool = True


async def offers_for(
    session: AsyncSession, settings: Settings, asked: Asked, moment: Moment, *, livemode: bool
) -> tuple[Decimal | None, list[Offer]]:
    """Return the amount and at least one offer, in the order of the methods' ids.

    A method that was named and cannot be had refuses the invoice with its reason; of the
    others those that cannot be had are left out.
    """
    found_now = await published(session, moment, test=not livemode)
    methods = judged(found_now, settings, moment)
    amount = _amount(asked, methods)
    chosen = (
        _usual(asked.usual, methods)
        if asked.methods is None
        else _named(asked.methods, methods)
    )
    pricing = pricing_of(found_now, settings, asked.currency, moment)
    found: list[Offer] = []
    refused: dict[str, str] = {}
    for method in chosen:
        offer = _offer(pricing, method, amount)
        if isinstance(offer, Offer) and asked.by_chain and is_dust(offer.units, offer.currency):
            refused[method.currency.id] = TOO_SMALL
        elif isinstance(offer, Offer):
            found.append(offer)
        else:
            refused[method.currency.id] = offer
    _refuse_dust(chosen, refused, named=asked.methods is not None)
    if asked.methods is not None:
        _refuse_named(asked.methods, refused)
    if not found:
        _refuse_all(refused)
    return amount, found


def pricing_of(
    found: Published, settings: Settings, currency: str, moment: Moment
) -> "Pricing":
    """Return the rates into one currency as of one moment, no older than the settings allow."""
    max_age = timedelta(seconds=settings.prices.max_age_seconds)
    return Pricing(found.prices, currency, moment, max_age)


@dataclass(frozen=True, slots=True)
class Pricing:
    """Rates into one currency as of one moment."""

    prices: Mapping[str, PriceHistory]
    currency: str
    moment: Moment
    max_age: timedelta

    def rate(self, code: str) -> Rate:
        """Return what one coin is worth; raise `PriceMissing` where nothing fresh says so."""
        return prices.rate_by(
            self.prices, code, self.currency, at=self.moment.at, max_age=self.max_age
        )


def _offer(pricing: Pricing, method: MethodAvailability, amount: Decimal | None) -> Offer | str:
    """Return the offer, or the reason why there is none.

    A stale price is no reason by itself: an invoice in the coin's own code needs none.
    """
    if method.reason is not None and method.reason != PRICE_STALE:
        return method.reason
    coin = method.currency
    try:
        rate = pricing.rate(coin.code)
    except PriceMissing:
        return PRICE_STALE
    units = None if amount is None else units_due(amount, rate.value, coin.decimals)
    return Offer(coin, method.network, rate, units)


def _amount(asked: Asked, methods: Sequence[MethodAvailability]) -> Decimal | None:
    decimals = FIAT_DECIMALS.get(asked.currency)
    if decimals is None:
        coins = [m.currency.decimals for m in methods if m.currency.code == asked.currency]
        if not coins:
            raise Invalid.field(
                "/currency",
                "unknown_currency",
                f"{asked.currency}: no currency that this gateway knows",
            )
        decimals = max(coins)
    if asked.amount is None:
        return None
    amount = amount_field("/amount", asked.amount, decimals)
    if asked.tax is not None:
        amount = with_tax(amount, asked.tax, decimals)
    if amount >= AMOUNT_END:
        raise Invalid.field("/amount", "invalid_amount", "the amount is too large")
    return amount


def _usual(
    names: Sequence[str] | None, methods: Sequence[MethodAvailability]
) -> Sequence[MethodAvailability]:
    """Return the methods that this merchant usually offers; all where it names none of the mode."""
    found = [method for method in methods if method.currency.id in (names or ())]
    return found or methods


def _named(
    names: Sequence[str], methods: Sequence[MethodAvailability]
) -> list[MethodAvailability]:
    known = {method.currency.id: method for method in methods}
    for index, name in enumerate(names):
        if name not in known:
            raise Invalid.field(
                f"/payment_methods/{index}",
                "unknown_payment_method",
                f"{name}: no payment method of this mode",
            )
    return [known[name] for name in sorted(set(names))]


def is_dust(units: int | None, coin: Currency) -> bool:
    """Tell whether who pays so many base units pays too little to be credited; None is open."""
    return units is not None and units < coin.minimum_deposit_units


def _refuse_dust(
    chosen: Sequence[MethodAvailability], refused: Mapping[str, str], *, named: bool
) -> None:
    """Refuse an amount that a method which was named, or every one there is, takes for dust."""
    small = [m.currency for m in chosen if refused.get(m.currency.id) == TOO_SMALL]
    if small and (named or len(small) == len(chosen)):
        raise Invalid.field("/amount", TOO_SMALL, too_small(small))


def too_small(coins: Sequence[Currency]) -> str:
    """Say what these coins take at least."""
    least = ", ".join(
        f"{coin.id} takes {to_text(coin.minimum_deposit_units, coin.decimals)} {coin.code}"
        for coin in coins
    )
    return f"the amount is too small: {least} at least"


def _refuse_all(refused: Mapping[str, str]) -> NoReturn:
    reasons = ", ".join(f"{name} ({why})" for name, why in refused.items())
    raise Unavailable(
        f"no payment method can be had now: {reasons or 'none is set up'}",
        code="no_payment_method_available",
    )


def _refuse_named(names: Sequence[str], refused: dict[str, str]) -> None:
    faults = [
        FieldFault(f"/payment_methods/{index}", refused[name], f"{name}: {refused[name]}")
        for index, name in enumerate(names)
        if name in refused
    ]
    if faults:
        raise Unavailable(faults[0].detail, code=faults[0].code, faults=faults)
