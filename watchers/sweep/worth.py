"""What the operator asks of a sweep, in base units, and what tokens are worth in the coin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.domain.money import to_units
from gateway.models import Currency
from gateway.prices import service as prices
from gateway.settings import AssetSettings, NetworkSettings
from watchers.sweep.plan import Terms, native_value

PRICE_AGE = timedelta(hours=24)
"""An older price says nothing about what is worth a fee."""


@dataclass(frozen=True, slots=True)
class Worth:
    """One network's terms."""

    settings: NetworkSettings
    currencies: Sequence[Currency]

    @property
    def native(self) -> Currency:
        """Return the network's own coin."""
        return next(each for each in self.currencies if each.contract is None)

    def coins(self, text: str | None) -> int | None:
        """Return an amount of the configuration in native base units."""
        return None if text is None else to_units(text, self.native.decimals)

    @property
    def cost_max(self) -> int:
        """Return the most that a sweep may cost which only waited long."""
        text = self.settings.sweeping.cost_max or self.settings.fee_ceiling
        return to_units(text, self.native.decimals)

    def terms(self) -> dict[str, Terms]:
        """Return the operator's terms by currency id."""
        return {currency.id: self._terms(currency) for currency in self.currencies}

    def asset(self, currency: Currency) -> AssetSettings:
        """Return an asset's settings; one that is listed no more has the defaults."""
        for asset in self.settings.assets:
            if asset.code == currency.code:
                return asset
        return AssetSettings(code=currency.code, decimals=currency.decimals)

    def value(
        self, currency: Currency, units: int, known: Mapping[str, Fraction]
    ) -> int | None:
        """Return what an amount is worth in native base units; None without prices."""
        native = self.native
        if currency.id == native.id:
            return units
        if currency.code not in known or native.code not in known:
            return None
        coin = (native.decimals, known[native.code])
        return native_value(units, currency.decimals, known[currency.code], coin)

    def _terms(self, currency: Currency) -> Terms:
        asset = self.asset(currency)
        return Terms(
            minimum_units=to_units(asset.sweep_minimum, currency.decimals),
            ratio=asset.sweep_ratio,
            age=timedelta(hours=asset.sweep_after_hours),
            cost_max=self.cost_max,
        )


async def prices_now(session: AsyncSession, moment: Moment) -> dict[str, Fraction]:
    """Return US dollars per whole coin by code, none of them old."""
    found = await prices.newest(session, moment.at)
    return {
        row.code: Fraction(row.price)
        for row in found
        if row.at > moment.at - PRICE_AGE and row.price > 0
    }
