"""Prices of many sources: read by each one's documentation, agreed on, kept, out of date."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.db import CROSS_TENANT, Database
from gateway.prices.coinbase import Coinbase
from gateway.prices.coingecko import CoinGecko
from gateway.prices.coinmarketcap import CoinMarketCap
from gateway.prices.configured import market_of
from gateway.prices.kraken import Kraken
from gateway.prices.market import Demands, Quote, agreed
from gateway.prices.round import Market, market_round
from gateway.prices.service import PriceMissing, rate
from gateway.prices.source import Source, Unreadable
from gateway.settings import PriceSettings, PriceSourceSettings
from tests.conftest import FreshDatabase
from tests.gateway.worker.test_static_prices import history
from tests.gateway.worker.world import Clock

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CODES = ["ETH", "TRX"]
SECONDS = int(NOW.timestamp())

GECKO = f"""{{"ethereum":{{"usd":2500.123456789012345678,"last_updated_at":{SECONDS - 30}}},
"tron":{{"usd":0.3,"last_updated_at":{SECONDS - 40}}}}}"""
CAP = """{"status":{"timestamp":"2026-11-21T12:00:00.000Z","error_code":0,"error_message":null},
"data":{"1027":{"id":1027,"name":"Ethereum","symbol":"ETH","is_active":1,"quote":{"USD":
{"price":2501.5,"volume_24h":1,"last_updated":"2026-11-21T11:59:00.000Z"}}},
"1958":{"id":1958,"symbol":"TRX","quote":{"USD":{"price":0.301,
"last_updated":"2026-11-21T11:59:00.000Z"}}}}}"""
KRAKEN = """{"error":[],"result":{"XETHZUSD":{"a":["2500.01","1","1.0"],"b":["2500.00","1","1.0"],
"c":["2499.99","0.01"],"v":["1","2"],"p":["1","2"],"t":[1,2],"l":["1","2"],"h":["1","2"],
"o":"2400.00"},"TRXUSD":{"a":["0.3","1","1"],"b":["0.3","1","1"],"c":["0.299","5"]}}}"""
COINBASE = """{"data":{"currency":"USD","rates":{"ETH":"0.0004","TRX":"3.3333","EUR":"0.8"}}}"""

SOURCES: list[tuple[Source, str, dict[str, str]]] = [
    (CoinGecko(), GECKO, {"ETH": "2500.123456789012345678", "TRX": "0.3"}),
    (CoinMarketCap("k"), CAP, {"ETH": "2501.5", "TRX": "0.301"}),
    (Kraken(), KRAKEN, {"ETH": "2499.99", "TRX": "0.299"}),
    (Coinbase(), COINBASE, {"ETH": "2500", "TRX": "0.300003000030000300"}),
]
NAMES = [source.name for source, _, _ in SOURCES]


@pytest.mark.parametrize(("source", "body", "prices"), SOURCES, ids=NAMES)
def test_every_source_is_read_exactly(
    source: Source, body: str, prices: dict[str, str]
) -> None:
    """No digit is lost on the way; a code that the answer lacks is simply not there."""
    found = source.read(body.encode(), [*CODES, "USDC"], NOW)
    assert {quote.code: quote.price for quote in found} == {
        code: Decimal(price) for code, price in prices.items()
    }
    assert all(NOW - timedelta(minutes=1) <= quote.at <= NOW for quote in found)


@pytest.mark.parametrize(("source", "body", "prices"), SOURCES, ids=NAMES)
@pytest.mark.parametrize(
    "damage", ["", "[]", "null", "<html>", '{"error":["EQuery:Unknown asset pair"]}', "{"]
)
def test_what_is_no_answer_has_no_prices(
    source: Source, body: str, prices: dict[str, str], damage: str
) -> None:
    """Unreadable or empty; never a crash."""
    del body, prices
    try:
        assert source.read(damage.encode(), CODES, NOW) == []
    except Unreadable:
        return


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (CoinGecko(), '{"ethereum":{"usd":"x","last_updated_at":1790000000}}'),
        (CoinGecko(), '{"ethereum":{"usd":true,"last_updated_at":1790000000}}'),
        (CoinGecko(), '{"ethereum":{"usd":1.5}}'),
        (CoinMarketCap("k"), '{"data":{"1027":{"quote":{"USD":{"price":1}}}}}'),
        (CoinMarketCap("k"), '{"data":{"1027":{"quote":{}}}}'),
        (Kraken(), '{"error":[],"result":{"XETHZUSD":{"c":[]}}}'),
        (Coinbase(), '{"data":{"currency":"EUR","rates":{"ETH":"1"}}}'),
        (Coinbase(), '{"data":{"currency":"USD","rates":{"ETH":"0"}}}'),
        (Coinbase(), '{"data":{"currency":"USD","rates":{"ETH":"1e-80"}}}'),
        (Coinbase(), '{"data":{"currency":"USD","rates":{"ETH":"1e999999"}}}'),
        (CoinGecko(), '{"ethereum":{"usd":1e9999999999999999999999,"last_updated_at":1}}'),
        (CoinGecko(), '{"ethereum":{"usd":1,"last_updated_at":300000000000}}'),
        (Kraken(), "[" * 100_000 + "]" * 100_000),
        (Kraken(), '{"error":[],"result":{"XETHZUSD":{"c":"2500"}}}'),
        (Kraken(), '{"error":[],"result":{"XETHZUSD":{"c":{"0":"2500"}}}}'),
        (Kraken(), '{"error":[],"result":{"XETHZUSD":{"c":["1.%s"]}}}' % ("3" * 20_000)),
        (Kraken(), '{"error":["\udcff"],"result":{}}'),
        (CoinGecko(), '{"ethereum":{"usd":1.%s,"last_updated_at":1}}' % ("3" * 20_000)),
    ],
)
def test_an_answer_with_a_wrong_entry_is_refused_whole(source: Source, body: str) -> None:
    """Its other entries are no better."""
    with pytest.raises(Unreadable):
        source.read(body.encode(errors="surrogateescape"), CODES, NOW)


@pytest.mark.parametrize(
    ("source", "body", "entry"),
    [
        (CoinGecko(), GECKO, '"usd":0.3,'),
        (CoinMarketCap("k"), CAP, '"price":0.301,'),
    ],
)
def test_a_coin_that_a_source_has_no_price_of_takes_no_other_with_it(
    source: Source, body: str, entry: str
) -> None:
    """Both say null of a coin that is listed and not traded: that is an answer."""
    said = body.replace(entry, entry.partition(":")[0] + ":null,")
    assert said != body
    assert [quote.code for quote in source.read(said.encode(), CODES, NOW)] == ["ETH"]


def test_sources_ask_by_what_is_unique_there() -> None:
    """Symbols are not: anybody may call a coin ETH."""
    asked = CoinGecko(key="secret").request([*CODES, "XYZ"])
    assert asked is not None
    assert (asked.params["ids"], asked.headers) == (
        "ethereum,tron",
        {"x-cg-demo-api-key": "secret"},
    )
    ours = CoinMarketCap("secret", ids={"XYZ": "77"}).request(["ETH", "XYZ"])
    assert ours is not None
    assert ours.params["id"] == "1027,77"
    assert Kraken().request(["XYZ"]) is None


DEMANDS = Demands(timedelta(minutes=10), spread_per_mille=20, at_least=2)


def quotes(*prices: str, at: datetime = NOW) -> list[Quote]:
    """Return one quote per price, each of another source."""
    return [Quote(f"s{place}", "ETH", Decimal(price), at) for place, price in enumerate(prices)]


@pytest.mark.parametrize(
    ("prices", "price"),
    [
        (["100", "101", "102"], "101"),
        (["100", "101"], "100.5"),
        (["100", "101", "1010"], "100.5"),
        (["100", "101", "100.4", "0.001"], "100.4"),
        (["100", "200"], None),
        (["100"], None),
        (["100", "NaN"], None),
        (["100", "100", "300", "300"], None),
        ([], None),
        (["0", "0"], None),
        (["1e30", "1e30"], None),
    ],
)
def test_the_median_of_those_that_agree_is_the_price(
    prices: list[str], price: str | None
) -> None:
    """What lies far off is left out; where no majority agrees there is no price."""
    found = agreed(quotes(*prices), NOW, DEMANDS)
    assert (None if found is None else found.price) == (
        None if price is None else Decimal(price)
    )


def test_old_quotes_and_quotes_of_the_future_do_not_count() -> None:
    """The price is as old as its oldest part."""
    old, ahead = NOW - timedelta(minutes=11), NOW + timedelta(minutes=2)
    assert agreed([*quotes("100", at=old), *quotes("100")], NOW, DEMANDS) is None
    assert agreed([*quotes("100", at=ahead), *quotes("100")], NOW, DEMANDS) is None
    older = NOW - timedelta(minutes=3)
    found = agreed([*quotes("100", at=older), *quotes("100", "100")], NOW, DEMANDS)
    assert found is not None
    assert found.at == older


@given(
    honest=st.lists(st.integers(990, 1010), min_size=3, max_size=5),
    liars=st.lists(st.integers(1, 10**9), max_size=2),
)
def test_a_minority_never_moves_the_price_out_of_the_honest_range(
    honest: list[int], liars: list[int]
) -> None:
    """Whatever it says."""
    found = agreed(quotes(*map(str, honest + liars)), NOW, DEMANDS)
    if found is not None:
        low, high = min(honest) - 20, max(honest) + 20
        assert low <= found.price <= high


@asynccontextmanager
async def exchanges(bodies: dict[str, Any]) -> AsyncIterator[str]:
    """Answer each path with its body, or with a status alone."""

    async def answer(request: web.Request) -> web.Response:
        body = bodies.get(request.path, 404)
        if isinstance(body, int):
            return web.Response(status=body)
        return web.Response(body=body.encode(errors="surrogateescape"))

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.anyio
async def test_a_round_keeps_what_each_said_and_the_price(database: FreshDatabase) -> None:
    """A source that fails is left out; the rate is the median's, and grows too old."""
    worker = Database(database.url("worker"), pool_size=1)
    clock = Clock()
    at = clock().at
    gecko = GECKO.replace(str(SECONDS - 30), str(int(at.timestamp()) - 30))
    gecko = gecko.replace(str(SECONDS - 40), str(int(at.timestamp()) - 40))
    bodies = {
        "/simple/price": gecko, "/0/public/Ticker": KRAKEN, "/v2/exchange-rates": 503,
    }  # fmt: skip
    async with exchanges(bodies) as url:
        market = Market([CoinGecko(url), Kraken(url), Coinbase(url)], CODES, DEMANDS)
        await market_round(worker, market, clock())
        await market_round(worker, market, clock())
    async with worker.unit_of_work(CROSS_TENANT) as session:
        found = await rate(session, "TRX", "USD", at=clock().at, max_age=timedelta(minutes=10))
        with pytest.raises(PriceMissing):
            later = clock().at + timedelta(minutes=10)
            await rate(session, "TRX", "USD", at=later, max_age=timedelta(minutes=10))
    await worker.aclose()
    assert (found.value, found.source) == (Decimal("0.2995"), "median(coingecko,kraken)")
    rows = {(row.code, row.source, row.agreed) for row in await history(database)}
    assert rows == {
        (code, source, source.startswith("median"))
        for code in CODES
        for source in ("coingecko", "kraken", "median(coingecko,kraken)")
    }


@pytest.mark.anyio
async def test_whatever_a_source_answers_the_others_make_the_price(
    database: FreshDatabase,
) -> None:
    """Bytes that are no text, a price that no column holds: left out, and the round goes on."""
    worker = Database(database.url("worker"), pool_size=1)
    long = KRAKEN.replace("2499.99", "2499." + "9" * 20_000)
    for nonsense in (b'{"error":["\xff"],"result":{}}'.decode(errors="surrogateescape"), long):
        bodies = {"/0/public/Ticker": nonsense, "/v2/exchange-rates": COINBASE}
        async with exchanges(bodies) as url:
            alone = Demands(timedelta(minutes=10), spread_per_mille=20, at_least=1)
            market = Market([Kraken(url), Coinbase(url)], ["ETH"], alone)
            await market_round(worker, market, Clock()())
    await worker.aclose()
    assert {row.source for row in await history(database)} == {"coinbase"}


@pytest.mark.anyio
async def test_where_sources_contradict_each_other_there_is_no_price(
    database: FreshDatabase,
) -> None:
    """What they said is kept, and makes no rate."""
    worker = Database(database.url("worker"), pool_size=1)
    bodies = {
        "/0/public/Ticker": KRAKEN,
        "/v2/exchange-rates": COINBASE.replace("0.0004", "0.004"),
    }
    async with exchanges(bodies) as url:
        market = Market([Kraken(url), Coinbase(url)], ["ETH"], DEMANDS)
        moment = Clock()()
        await market_round(worker, market, moment)
    async with worker.unit_of_work(CROSS_TENANT) as session:
        with pytest.raises(PriceMissing):
            await rate(session, "ETH", "USD", at=moment.at, max_age=timedelta(minutes=10))
    await worker.aclose()
    assert [row.agreed for row in await history(database)] == [False, False]


def test_the_configuration_names_sources_and_codes(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """Codes with a static price are not asked for; the key comes from its file."""
    (tmp_path / "key").write_text("secret\n")
    chosen = PriceSettings(
        static={"ETH": "1"},
        sources=["coinmarketcap", "coinbase"],
        currencies=["EUR"],
        coinmarketcap=PriceSourceSettings(
            url="https://cap.example/", key_file=tmp_path / "key"
        ),
    )
    settings = msgspec.structs.replace(database.settings, prices=chosen)
    market = market_of(settings)
    assert market is not None
    assert "EUR" in market.codes
    assert not {"ETH", "USD"} & set(market.codes)
    assert market.demands.at_least == 2
    asked = market.sources[0].request(["BTC"])
    assert asked is not None
    assert asked.headers == {"X-CMC_PRO_API_KEY": "secret"}
    assert asked.url == "https://cap.example/v2/cryptocurrency/quotes/latest"
    plain = msgspec.structs.replace(database.settings, prices=PriceSettings())
    assert market_of(plain) is None
