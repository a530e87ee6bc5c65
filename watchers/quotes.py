"""Publishes what one payout costs now, per currency, for the API to read; it decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.dialects.postgresql import insert

from gateway.db import CROSS_TENANT, Database
from gateway.models import Currency, FeeQuote
from watchers.chain import asset_of
from watchers.clock import now
from watchers.payer import hot_address

QUOTE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Quote:
    """One payment's cost in base units of the native coin: what it usually takes, and at most.

    `parts` has the figures behind it: whole numbers as text.
    """

    typical_units: int
    ceiling_units: int
    parts: Mapping[str, str]


class FeeQuoter(Protocol):
    """Knows what payments of one network cost."""

    async def quote(self, asset: str, source: str) -> Quote:
        """Return the cost of paying `asset` out of `source`.

        Raises `NodeUnavailable` or `Incomplete` where the node does not say.
        """
        ...


@dataclass(slots=True)
class Quotes:
    """One network's quotes; `ceiling_units` is the most that the operator lets a payout cost."""

    network: str
    database: Database
    quoter: FeeQuoter
    currencies: Sequence[Currency]
    ceiling_units: int

    async def round(self) -> None:
        """Ask for every currency, then publish them all."""
        source = await hot_address(self.database, self.network)
        if source is None:
            return
        found = {}
        for currency in self.currencies:
            asset = asset_of(currency)
            found[currency.id] = await self.quoter.quote(asset, source)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            for currency_id, quote in found.items():
                values = self._row(quote)
                await session.execute(
                    insert(FeeQuote)
                    .values(currency_id=currency_id, network_id=self.network, **values)
                    .on_conflict_do_update(index_elements=["currency_id"], set_=values)
                )

    def _row(self, quote: Quote) -> dict[str, Any]:
        return {
            "typical_units": quote.typical_units,
            "ceiling_units": min(quote.ceiling_units, self.ceiling_units),
            "parts": {**quote.parts, "operator_ceiling": str(self.ceiling_units)},
            "published_at": now().at,
        }
