"""CoinGecko: `/simple/price`, by the coin's own id there (docs.coingecko.com, API v3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from gateway.prices.market import Quote
from gateway.prices.source import Request, Unreadable, decimal, parsed

IDS = dict(
    pair.split(":")
    for pair in [
        "BNB:binancecoin",
        "BTC:bitcoin",
        "DAI:dai",
        "ETH:ethereum",
        "POL:polygon-ecosystem-token",
        "SOL:solana",
        "TRX:tron",
        "USDC:usd-coin",
        "USDT:tether",
    ]
)
"""A symbol is not unique there: these are the coins that are meant."""

SECONDS_END = 2**35
"""Unix seconds of the year 3058."""


@dataclass(frozen=True, slots=True)
class CoinGecko:
    """`ids` says what a code is called there, in addition to the usual ones."""

    url: str = "https://api.coingecko.com/api/v3"
    ids: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    key_header: str = "x-cg-demo-api-key"
    name: str = "coingecko"

    def moved(self, url: str) -> "CoinGecko":
        """Return the same source at another address."""
        return replace(self, url=url)

    def request(self, codes: Sequence[str]) -> Request | None:
        """Ask for all of them with the time of each price."""
        ids = [found for code in codes if (found := self._id(code))]
        params = {
            "ids": ",".join(ids),
            "vs_currencies": "usd",
            "include_last_updated_at": "true",
            "precision": "full",
        }
        headers = {self.key_header: self.key} if self.key else {}
        return Request(f"{self.url}/simple/price", params, headers) if ids else None

    def read(self, body: bytes, codes: Sequence[str], now: datetime) -> list[Quote]:
        """Read `{"ethereum": {"usd": 2500.1, "last_updated_at": 1790000000}}`; null is no price."""
        del now
        document = parsed(body)
        if not isinstance(document, dict):
            raise Unreadable("not an object")
        found = []
        for code in codes:
            entry = document.get(self._id(code) or "")
            if not isinstance(entry, dict) or entry.get("usd") is None:
                continue
            seconds = entry.get("last_updated_at")
            if type(seconds) is not int or not 0 < seconds < SECONDS_END:
                raise Unreadable(f"{code}: last_updated_at is {seconds!r}")
            at = datetime.fromtimestamp(seconds, UTC)
            found.append(Quote(self.name, code, decimal(entry["usd"]), at))
        return found

    def _id(self, code: str) -> str | None:
        return self.ids.get(code) or IDS.get(code)
