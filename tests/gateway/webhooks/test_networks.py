"""News of networks: told to who listens, once, and not for every stumble."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.db import Database
from gateway.postgres.url import role_url
from gateway.webhooks.networks import (
    DEGRADED_AFTER,
    RECOVERED_AFTER,
    Condition,
    judged,
    news_round,
)
from tests.gateway.shop import Shop

AT = datetime(2026, 11, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_what_was_said_stands_until_it_is_otherwise_for_a_while() -> None:
    """A minute of lag, five of keeping up; each stumble in between begins the wait anew."""
    well = Condition(degraded=False, since=AT)
    assert judged(well, AT, lagging=False) == well
    doubted = judged(well, AT + SECOND, lagging=True)
    assert doubted == Condition(degraded=False, since=AT, doubted_since=AT + SECOND)
    assert judged(doubted, AT + 2 * SECOND, lagging=False) == well
    assert judged(doubted, AT + DEGRADED_AFTER, lagging=True) == doubted
    ill = judged(doubted, AT + SECOND + DEGRADED_AFTER, lagging=True)
    assert ill == Condition(degraded=True, since=AT + SECOND)
    better = judged(ill, AT, lagging=False)
    assert judged(better, AT + RECOVERED_AFTER - SECOND, lagging=False).degraded
    assert judged(better, AT + RECOVERED_AFTER, lagging=False) == Condition(
        degraded=False, since=AT
    )


@pytest.fixture
async def worker(shop: Shop) -> AsyncIterator[Database]:
    """Open the database as gw_worker."""
    made = Database(role_url(shop.settings, "worker"), pool_size=4)
    yield made
    await made.aclose()


@pytest.mark.anyio
async def test_a_network_that_falls_behind_is_told_once(shop: Shop, worker: Database) -> None:
    """By several workers, to the merchants whose endpoints of that mode want to hear it."""
    keys = {}
    for name, events, livemode in (
        ("all", ["*"], False), ("some", ["network.degraded"], False),
        ("others", ["invoice.settled"], False), ("live", ["*"], True), ("gone", ["*"], False),
    ):  # fmt: skip
        merchant_id, _ = await shop.merchant_and_key()
        keys[name] = await shop.key(merchant_id, livemode=livemode)
        body = {"url": "https://shop.example/", "events": events}
        answer = await shop.call("POST", "/v1/webhook_endpoints", keys[name], json=body)
        assert answer.status_code == 201, answer.text
        if name == "gone":
            await shop.run(
                "UPDATE merchant SET deleted_at = now() WHERE id = :id", id=merchant_id
            )

    async def looked(**ahead: float) -> list[str]:
        shop.clock.at += timedelta(**ahead)
        for network in ("tron", "solana", "mainnet"):
            await shop.healthy(network)
        rounds = [news_round(worker, shop.settings, shop.clock()) for _ in range(3)]
        await asyncio.gather(*rounds)
        rows = await shop.rows("SELECT type FROM event ORDER BY position")
        return [row.type for row in rows]

    assert await looked() == []
    assert await looked(minutes=6) == []  # its watcher has been silent for longer than it may
    assert await looked(seconds=61) == ["network.degraded"] * 2
    assert await looked(minutes=10) == ["network.degraded"] * 2
    await shop.healthy("ethereum")
    assert await looked(seconds=1) == ["network.degraded"] * 2
    assert await looked(minutes=2) == ["network.degraded"] * 2
    await shop.healthy("ethereum")
    told = await looked(minutes=4)
    assert told == [*["network.degraded"] * 2, "network.recovered"]
    [recovered, degraded] = (await shop.call("GET", "/v1/events", keys["all"])).json()["data"]
    assert [each["sequence"] for each in (degraded, recovered)] == [1, 2]
    thing = degraded["data"]["object"]
    assert (thing["object"], thing["id"], thing["lagging"]) == ("network", "ethereum", True)
    assert degraded["data"]["since"] < degraded["timestamp"]
    assert recovered["data"]["object"]["lagging"] is False
    assert len(await shop.rows("SELECT 1 FROM webhook_delivery")) == 3
