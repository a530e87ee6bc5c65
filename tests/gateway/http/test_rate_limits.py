"""What a key may ask in a minute, and how it is told."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import msgspec
import pytest

from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


def limited(shop: Shop, quota: int) -> AbstractAsyncContextManager[Shop]:
    """Serve the same database with a quota."""
    api = msgspec.structs.replace(shop.settings.api, requests_per_minute=quota)
    return shop.beside(msgspec.structs.replace(shop.settings, api=api))


async def test_every_answer_tells_what_is_left(shop: Shop) -> None:
    """In the current form of the IETF's draft; each key has its own minute."""
    _, key = await shop.merchant_and_key()
    _, other = await shop.merchant_and_key()
    async with limited(shop, 3) as strict:
        first = await strict.call("GET", "/v1/merchant", key)
        assert first.headers["ratelimit-policy"] == '"default";q=3;w=60'
        assert first.headers["ratelimit"].startswith('"default";r=2;t=')
        missing = await strict.call("GET", "/v1/invoices/none", key)
        assert missing.headers["ratelimit"].startswith('"default";r=1;')
        fresh = await strict.call("GET", "/v1/merchant", other)
        assert fresh.headers["ratelimit"].startswith('"default";r=2;')


async def test_one_too_many_is_refused_until_the_minute_is_over(shop: Shop) -> None:
    """429 with the seconds to wait; asking on and on does not make it longer."""
    _, key = await shop.merchant_and_key()
    async with limited(shop, 2) as strict:
        for _ in range(2):
            assert (await strict.call("GET", "/v1/merchant", key)).status_code == 200
        for _ in range(3):
            refused = await strict.call("GET", "/v1/merchant", key)
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert 0 < int(refused.headers["retry-after"]) <= 60
            assert refused.headers["ratelimit"].startswith('"default";r=0;')
        strict.clock.at += timedelta(seconds=61)
        assert (await strict.call("GET", "/v1/merchant", key)).status_code == 200


async def test_requests_side_by_side_share_one_budget(shop: Shop) -> None:
    """As many pass as there is room for, whatever process takes them."""
    _, key = await shop.merchant_and_key()
    async with limited(shop, 5) as strict:
        answers = await asyncio.gather(
            *(strict.call("GET", "/v1/merchant", key) for _ in range(12))
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 7


async def test_without_a_limit_nothing_is_counted(shop: Shop) -> None:
    """No header, no row."""
    _, key = await shop.merchant_and_key()
    await shop.run("DELETE FROM rate_window")
    async with limited(shop, 0) as open_shop:
        answer = await open_shop.call("GET", "/v1/merchant", key)
    assert "ratelimit" not in answer.headers
    assert await shop.rows("SELECT 1 FROM rate_window") == []
