"""An endpoint that is down is left alone and asked once in a while; a merchant has its share."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from gateway.webhooks.breaker import FAILURES_MAX, REST_MAX, REST_MIN, Breakers
from gateway.webhooks.delivery import Answer
from gateway.webhooks.sender import PER_ENDPOINT_MAX
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import (
    MERCHANT,
    Received,
    all_are,
    eventually,
    receiving,
    world,
)

AT = datetime(2026, 11, 20, tzinfo=UTC)
DOWN, UP = Answer(1, status=503), Answer(1, status=400)


def test_a_breaker_opens_rests_longer_and_closes() -> None:
    """Ten in a row open it; a probe that fails doubles the rest; any word closes it."""
    breakers, at = Breakers(), AT
    rests = [breakers.note("whe_1", DOWN, at) for _ in range(FAILURES_MAX)]
    assert rests == [None] * (FAILURES_MAX - 1) + [REST_MIN]
    assert breakers.rooms(at) == {"whe_1": 0}
    assert breakers.note("whe_1", DOWN, at) is None
    assert breakers.rooms(at + REST_MIN) == {"whe_1": 1}
    longest = timedelta(0)
    for _ in range(8):
        at += REST_MAX
        longest = breakers.note("whe_1", DOWN, at) or longest
    assert longest == REST_MAX
    breakers.note("whe_1", UP, at)
    assert breakers.rooms(at) == {}
    assert breakers.note("whe_1", Answer(1, error="no answer in time"), at) is None


@pytest.mark.anyio
async def test_an_endpoint_that_is_down_is_left_alone(database: FreshDatabase) -> None:
    """Those under way and no more, whatever waits; after the rest all of it arrives."""
    async with world(database) as w, receiving() as shop, receiving() as other:
        shop.answers(503)
        await w.endpoint(shop.url)
        await w.emit(*[f"inv_{number}" for number in range(60)])
        async with w.working():
            await eventually(lambda: len(shop.requests) >= FAILURES_MAX)
            await w.endpoint(other.url, id_="whe_2")
            await w.emit("inv_beside")
            await eventually(lambda: other.requests)
            w.clock.put_forward(seconds=20)  # the first of them would be due again
            await w.emit("inv_later")
            await eventually(lambda: len(other.requests) == 2)
            assert len(shop.requests) < FAILURES_MAX + PER_ENDPOINT_MAX
            shop.answers(200)
            w.clock.put_forward(seconds=20)
            await eventually(all_are(w, "succeeded"))


@pytest.mark.anyio
async def test_a_merchant_has_a_bounded_share(database: FreshDatabase) -> None:
    """However many endpoints it has; another merchant gets its turn beside it."""
    async with world(database, per_merchant=6) as w, receiving() as shop:
        under_way, peak = Counter[str](), Counter[str]()

        async def slow(received: Received) -> web.Response:
            merchant = received.document["merchant_id"]
            under_way[merchant] += 1
            peak[merchant] = max(peak[merchant], under_way[merchant])
            await asyncio.sleep(0.05)
            under_way[merchant] -= 1
            return web.Response()

        shop.answer = slow
        for number in range(6):
            await w.endpoint(shop.url, id_=f"whe_{number}")
        await w.emit(*[f"inv_{number}" for number in range(10)])
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        assert len(shop.requests) == 60
        assert 4 <= peak[MERCHANT] <= 6
