"""Kraken: `/0/public/Ticker`, the last trade of each pair (docs.kraken.com, Spot REST)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.prices.market import Quote
from gateway.prices.source import Request, Unreadable, decimal, parsed

PAIRS = {
    "BTC": "XXBTZUSD",
    "DAI": "DAIUSD",
    "ETH": "XETHZUSD",
    "EUR": "ZEURZUSD",
    "GBP": "ZGBPZUSD",
    "SOL": "SOLUSD",
    "TRX": "TRXUSD",
    "USDC": "USDCUSD",
    "USDT": "USDTZUSD",
}
"""The exchange answers under these names, whatever spelling was asked for."""


@dataclass(frozen=True, slots=True)
class Kraken:
    """`ids` adds pairs to the usual ones."""

    url: str = "https://api.kraken.com"
    ids: Mapping[str, str] = field(default_factory=dict)
    name: str = "kraken"

    def moved(self, url: str) -> "Kraken":
        """Return the same source at another address."""
        return replace(self, url=url)

    def request(self, codes: Sequence[str]) -> Request | None:
        """Ask for all pairs at once."""
        pairs = [found for code in codes if (found := self._pair(code))]
        return (
            Request(f"{self.url}/0/public/Ticker", {"pair": ",".join(pairs)}) if pairs else None
        )

    def read(self, body: bytes, codes: Sequence[str], now: datetime) -> list[Quote]:
        """Read `result[pair].c[0]`; a non-empty `error` list is no answer."""
        document = parsed(body)
        if not isinstance(document, dict) or document.get("error"):
            raise Unreadable(f"error: {str(document)[:200]}")
        result = document.get("result")
        if not isinstance(result, dict):
            raise Unreadable("result is not an object")
        found = []
        for code in codes:
            entry = result.get(self._pair(code) or "")
            if not isinstance(entry, dict):
                continue
            trade = entry.get("c")
            # Of a text the first letter would be a price, too.
            if not isinstance(trade, list) or not trade:
                raise Unreadable(f"{code}: no last trade")
            found.append(Quote(self.name, code, decimal(trade[0]), now))
        return found

    def _pair(self, code: str) -> str | None:
        return self.ids.get(code) or PAIRS.get(code)
