"""Endpoints that fail for days, that were repaired, and those of merchants who are gone."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from gateway.db import CROSS_TENANT
from gateway.webhooks import outbox
from gateway.webhooks.breaker import FAILURES_MAX
from gateway.webhooks.delivery import Delivery
from gateway.webhooks.failing import disable_worn_out
from gateway.webhooks.leases import Shares, lease
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import (
    MERCHANT,
    Received,
    World,
    all_are,
    ended,
    eventually,
    receiving,
    world,
)

pytestmark = pytest.mark.anyio


async def _tried(w: World, attempts: int) -> bool:
    rows = [row for row in await w.deliveries() if row.endpoint_id == "whe_1"]
    return bool(rows) and rows[-1].attempts == attempts


async def test_five_days_without_a_success_disable_the_endpoint(
    database: FreshDatabase,
) -> None:
    """From the first failure on; whatever arrives in between begins the count anew."""
    async with world(database) as w, receiving() as shop, receiving() as other:
        await w.endpoint(shop.url)
        await w.endpoint(other.url, id_="whe_2")
        shop.answers(500, 200, 500)
        async with w.working():
            await w.emit("inv_1")
            await eventually(lambda: _tried(w, 1))
            assert (await w.endpoint_row()).failing_since is not None
            assert (await w.endpoint_row("whe_2")).failing_since is None
            w.clock.put_forward(days=6)
            await eventually(all_are(w, "succeeded"))
            assert (await w.endpoint_row()).failing_since is None
            await w.emit("inv_2")
            await eventually(lambda: _tried(w, 1))
            began = (await w.endpoint_row()).failing_since
            w.clock.put_forward(days=4, hours=23)
            await eventually(lambda: _tried(w, 2))
            row = await w.endpoint_row()
            assert (row.status, row.failing_since) == ("enabled", began)
            w.clock.put_forward(hours=2)
            await eventually(lambda: len(other.requests) == 3)
        row = await w.endpoint_row()
        assert (row.status, row.exhausted_in_a_row) == ("disabled", 0)
        news = other.requests[-1].document
        assert news["type"] == "webhook_endpoint.disabled"
        assert news["data"]["object"]["id"] == "whe_1"
        assert news["data"]["reason"] == "nothing has arrived for 5 days"


async def test_a_success_meanwhile_keeps_the_endpoint(database: FreshDatabase) -> None:
    """Another worker's, between the result of this one and the end of the patience."""
    async with world(database) as w:
        await w.endpoint("http://127.0.0.1:1/")
        failed = Delivery(
            id="whd_1", endpoint_id="whe_1", merchant_id=MERCHANT, url="http://127.0.0.1:1/",
            secret_version=1, previous_signs=False, ed25519=False, event_id="evt_1", type="ping",
            subject="inv_1", sequence=1, livemode=False, attempts=3, passed=False,
            leased_until=w.clock().at,
        )  # fmt: skip
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            assert await disable_worn_out(session, [failed], w.clock()) == []
        await w.execute("UPDATE webhook_endpoint SET failing_since = now() - interval '5 days'")
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            assert await disable_worn_out(session, [failed], w.clock()) == ["whe_1"]


async def test_days_of_an_old_url_disable_nothing(database: FreshDatabase) -> None:
    """The merchant has moved on while the last request was under way."""
    async with world(database) as w, receiving() as old:
        old.answers(500)
        await w.endpoint(old.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: _tried(w, 1))
            await w.execute(
                "UPDATE webhook_delivery SET attempts = 9, next_attempt_at = :at",
                at=w.clock().at,
            )
            await w.execute("UPDATE webhook_endpoint SET exhausted_in_a_row = 9")
            gate = asyncio.Event()
            asked = len(old.requests)

            async def late(_received: Received) -> web.StreamResponse:
                await gate.wait()
                return web.Response(status=500)

            old.answer = late
            w.clock.put_forward(days=6)
            await eventually(lambda: len(old.requests) > asked)
            await w.execute("UPDATE webhook_endpoint SET url = 'http://127.0.0.1:1/'")
            gate.set()
            await eventually(lambda: ended(w))
        row = await w.endpoint_row()
        assert (row.status, row.exhausted_in_a_row) == ("enabled", 9)


async def test_a_repaired_endpoint_need_not_wait(database: FreshDatabase) -> None:
    """Whoever says so closes its breaker in every worker: what is new goes there at once."""
    async with world(database) as w, receiving() as shop:
        shop.answers(503)
        await w.endpoint(shop.url)
        await w.emit(*[f"inv_{number}" for number in range(30)])
        async with w.working():
            await eventually(lambda: len(shop.requests) >= FAILURES_MAX)
            shop.answers(200)
            async with w.owner.unit_of_work(CROSS_TENANT) as session:
                await outbox.forgive(session, "whe_1")
            await w.emit("inv_new")
            await eventually(lambda: _arrived(w, "inv_new"))


async def _arrived(w: World, subject: str) -> bool:
    return any(
        row.subject == subject and row.status == "succeeded" for row in await w.deliveries()
    )


async def test_endpoints_of_a_deleted_merchant_hear_nothing(database: FreshDatabase) -> None:
    """What was due is over, nothing new is queued; once restored they hear again."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        await w.execute("UPDATE merchant SET deleted_at = now()")
        await w.emit("inv_2")
        assert await w.statuses() == ["scheduled"]
        at, shares = w.clock(), Shares(each=1, rooms={}, per_merchant=1, merchant_rooms={})
        until = at.at + timedelta(minutes=1)
        assert await lease(w.owner, at, until=until, wanted=1, shares=shares) == []
        async with w.working():
            await eventually(all_are(w, "skipped"))
        assert shop.requests == []
        await w.execute("UPDATE merchant SET deleted_at = NULL")
        async with w.working():
            await w.emit("inv_3")
            await eventually(lambda: _arrived(w, "inv_3"))
        assert [each.document["subject"] for each in shop.requests] == ["inv_3"]
