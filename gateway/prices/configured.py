"""From the configuration to the sources of prices and the codes that need one."""

from datetime import timedelta

from gateway.prices.coinbase import Coinbase
from gateway.prices.coingecko import CoinGecko
from gateway.prices.coinmarketcap import CoinMarketCap
from gateway.prices.kraken import Kraken
from gateway.prices.market import Demands
from gateway.prices.round import Market
from gateway.prices.service import QUOTE
from gateway.prices.source import Source
from gateway.settings import PriceSourceSettings, Settings


def market_of(settings: Settings) -> Market | None:
    """Return what is asked in every round; None where no source is configured.

    A code with a static price is not asked for.
    """
    prices = settings.prices
    if not prices.sources:
        return None
    listed = {asset.code for network in settings.networks.values() for asset in network.assets}
    wanted = (listed | set(prices.currencies)) - set(prices.static) - {QUOTE}
    demands = Demands(
        max_age=timedelta(seconds=prices.max_age_seconds),
        spread_per_mille=prices.spread_per_mille,
        at_least=prices.at_least or min(2, len(prices.sources)),
    )
    sources = [_source(settings, name) for name in prices.sources]
    return Market(sources, sorted(wanted), demands)


def _source(settings: Settings, name: str) -> Source:
    chosen: PriceSourceSettings = getattr(settings.prices, name)
    key = settings.secret(f"prices.{name}.key_file") if chosen.key_file else ""
    match name:
        case "coingecko":
            source: Source = CoinGecko(ids=chosen.ids, key=key)
        case "coinmarketcap":
            source = CoinMarketCap(ids=chosen.ids, key=key)
        case "kraken":
            source = Kraken(ids=chosen.ids)
        case _:
            source = Coinbase(ids=chosen.ids)
    return source if chosen.url is None else source.moved(chosen.url.rstrip("/"))
