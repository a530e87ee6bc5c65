"""What coins are worth, over HTTP."""

import pytest

from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def test_rates_are_the_newest_prices_that_were_agreed_on(shop: Shop) -> None:
    """What a single source said is no rate; one that is too old says so."""
    _, key = await shop.merchant_and_key()
    await shop.run("DELETE FROM price_history")
    await shop.run(
        "INSERT INTO price_history (code, quote, source, price, at, agreed) VALUES"
        " ('ETH', 'USD', 'median(a,b)', 2500.10, CAST(:now AS timestamptz) - interval '10 s', true),"
        " ('ETH', 'USD', 'a', 9999, CAST(:now AS timestamptz) - interval '5 s', false),"
        " ('ETH', 'USD', 'static', 1, CAST(:now AS timestamptz) - interval '1 h', true),"
        " ('TRX', 'USD', 'static', 0.3, CAST(:now AS timestamptz) - interval '1 h', true)",
        now=shop.at(),
    )
    page = (await shop.call("GET", "/v1/rates", key)).json()
    rates = {
        rate["code"]: (rate["price"], rate["source"], rate["stale"]) for rate in page["data"]
    }
    assert rates == {
        "ETH": ("2500.1", "median(a,b)", False),
        "TRX": ("0.3", "static", True),
    }
    assert (await shop.call("GET", "/v1/rates")).status_code == 401
