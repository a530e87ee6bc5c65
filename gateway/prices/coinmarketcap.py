"""CoinMarketCap: `/v2/cryptocurrency/quotes/latest`, by number (coinmarketcap.com/api)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.prices.market import Quote
from gateway.prices.source import Request, Unreadable, decimal, parsed

IDS = {
    "BNB": "1839",
    "BTC": "1",
    "DAI": "4943",
    "ETH": "1027",
    "POL": "28321",
    "SOL": "5426",
    "TRX": "1958",
    "USDC": "3408",
    "USDT": "825",
}


@dataclass(frozen=True, slots=True)
class CoinMarketCap:
    """`ids` adds to the usual numbers; a key is needed."""

    key: str
    url: str = "https://pro-api.coinmarketcap.com"
    ids: Mapping[str, str] = field(default_factory=dict)
    name: str = "coinmarketcap"

    def moved(self, url: str) -> "CoinMarketCap":
        """Return the same source at another address."""
        return replace(self, url=url)

    def request(self, codes: Sequence[str]) -> Request | None:
        """Ask for all of them in US dollars."""
        ids = [found for code in codes if (found := self._id(code))]
        params = {"id": ",".join(ids), "convert": "USD", "skip_invalid": "true"}
        headers = {"X-CMC_PRO_API_KEY": self.key}
        url = f"{self.url}/v2/cryptocurrency/quotes/latest"
        return Request(url, params, headers) if ids else None

    def read(self, body: bytes, codes: Sequence[str], now: datetime) -> list[Quote]:
        """Read `data[id].quote.USD.price` with `last_updated`; null is a coin that is not traded."""
        del now
        document = parsed(body)
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict):
            raise Unreadable("data is not an object")
        found = []
        for code in codes:
            entry = data.get(self._id(code) or "")
            if not isinstance(entry, dict):
                continue
            try:
                quote = entry["quote"]["USD"]
                if quote["price"] is None:
                    continue
                at = datetime.fromisoformat(quote["last_updated"])
                price = decimal(quote["price"])
            except (KeyError, TypeError, ValueError) as fault:
                raise Unreadable(f"{code}: {fault}") from fault
            if at.tzinfo is None:
                raise Unreadable(f"{code}: last_updated has no zone")
            found.append(Quote(self.name, code, price, at))
        return found

    def _id(self, code: str) -> str | None:
        return self.ids.get(code) or IDS.get(code)
