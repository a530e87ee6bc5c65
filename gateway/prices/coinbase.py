"""Coinbase: `/v2/exchange-rates`, how much of everything a dollar buys (docs.cdp.coinbase.com)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from gateway.prices.market import CONTEXT, STEP, Quote
from gateway.prices.source import Request, Unreadable, decimal, parsed

LEAST, MOST = Decimal("1e-15"), Decimal("1e15")
"""Rates whose inverse is a price that a column can hold."""


@dataclass(frozen=True, slots=True)
class Coinbase:
    """`ids` says what a code is called there where it is not the code itself."""

    url: str = "https://api.coinbase.com"
    ids: Mapping[str, str] = field(default_factory=dict)
    name: str = "coinbase"

    def moved(self, url: str) -> "Coinbase":
        """Return the same source at another address."""
        return replace(self, url=url)

    def request(self, codes: Sequence[str]) -> Request | None:
        """Ask for everything: there is one table."""
        params = {"currency": "USD"}
        return Request(f"{self.url}/v2/exchange-rates", params) if codes else None

    def read(self, body: bytes, codes: Sequence[str], now: datetime) -> list[Quote]:
        """Read `data.rates`, strings, each the inverse of a price."""
        document = parsed(body)
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict) or data.get("currency") != "USD":
            raise Unreadable("data.currency is not USD")
        rates = data.get("rates")
        if not isinstance(rates, dict):
            raise Unreadable("data.rates is not an object")
        found = []
        for code in codes:
            rate = rates.get(self.ids.get(code, code))
            if rate is None:
                continue
            worth = decimal(rate)
            if not worth.is_finite() or not LEAST <= worth <= MOST:
                raise Unreadable(f"{code}: {rate!r} is not a rate")
            price = CONTEXT.divide(1, worth).quantize(STEP, context=CONTEXT)
            found.append(Quote(self.name, code, price, now))
        return found
