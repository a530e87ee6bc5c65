"""Webhooks from the outbox to real receivers: signed, repeated until they arrive, shared fairly."""

import asyncio
import base64
import hmac
from datetime import timedelta

import pytest
from aiohttp import web

from gateway.webhooks.secrets import EndpointSecrets
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import (
    MERCHANT,
    Received,
    all_are,
    eventually,
    receiving,
    world,
)

pytestmark = pytest.mark.anyio


async def test_an_event_arrives_signed_and_whole(database: FreshDatabase) -> None:
    """The reference library verifies it; the body is the event's document."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        async with w.working():
            [event_id] = await w.emit("inv_1", data={"object": {"id": "inv_1", "note": "é支"}})
            await eventually(all_are(w, "succeeded"))
        [received] = shop.requests
        received.verify(w.secret())
        document = received.document
        assert received.event_id == document["id"] == event_id
        assert document.pop("timestamp").endswith("Z")
        assert document == {
            "id": event_id, "object": "event", "type": "invoice.settled",
            "api_version": "2026-11-20", "livemode": False, "merchant_id": MERCHANT,
            "subject": "inv_1", "sequence": 1, "data": {"object": {"id": "inv_1", "note": "é支"}},
        }  # fmt: skip
        assert received.headers["content-type"] == "application/json"
        [row] = await w.deliveries()
        assert (row.attempts, row.response_status, row.response_body) == (1, 200, "ok")
        assert (row.error, row.leased_until) == (None, None)
        assert row.ended_at is not None


async def test_a_notification_wakes_the_sender_at_once(database: FreshDatabase) -> None:
    """With a poll of a minute it still takes a moment only."""
    async with world(database, poll_milliseconds=60_000) as w, receiving() as shop:
        await w.endpoint(shop.url)
        async with w.working():
            await asyncio.sleep(0.5)
            await w.emit("inv_1")
            await eventually(lambda: shop.requests)  # within half of what the next poll is away


async def test_polling_finds_what_nobody_announced(database: FreshDatabase) -> None:
    """A lost notification costs one poll."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        await w.execute("UPDATE webhook_delivery SET next_attempt_at = now() + interval '1 s'")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        assert len(shop.requests) == 1


async def test_both_secrets_sign_after_a_rotation(database: FreshDatabase) -> None:
    """A receiver with the old secret and one with the new accept the same request."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url, version=2, overlap=timedelta(hours=1))
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: shop.requests)
        shop.requests[0].verify(w.secret(version=1))
        shop.requests[0].verify(w.secret(version=2))


async def test_the_old_secret_signs_no_more_after_the_overlap(database: FreshDatabase) -> None:
    """Whoever found it cannot make anybody believe anything."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url, version=2, overlap=timedelta(hours=1))
        w.clock.put_forward(hours=1, minutes=1)
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: shop.requests)
        [signature] = shop.requests[0].headers["webhook-signature"].split(" ")
        key = base64.b64decode(w.secret(version=2).removeprefix("whsec_"))
        sent = shop.requests[0]
        text = f"{sent.event_id}.{sent.headers['webhook-timestamp']}.".encode() + sent.body
        assert signature == "v1," + base64.b64encode(hmac.digest(key, text, "sha256")).decode()


async def test_an_endpoint_that_asks_for_it_gets_ed25519_signatures(
    database: FreshDatabase,
) -> None:
    """`v1a` over the same text; the reference library still finds its own `v1`."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url, ed25519=True)
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: shop.requests)
        [sent] = shop.requests
        sent.verify(w.secret())
        kind, _, signature = sent.headers["webhook-signature"].split(" ")[1].partition(",")
        text = f"{sent.event_id}.{sent.headers['webhook-timestamp']}.".encode() + sent.body
        master = w.settings.secret("webhooks.master_secret_file")
        public = EndpointSecrets(master).signer("whe_1", 1).public_key()
        assert kind == "v1a"
        public.verify(base64.b64decode(signature), text)


async def test_an_endpoint_hears_its_own_mode_only(database: FreshDatabase) -> None:
    """A live shop never books a test payment."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        await w.execute("UPDATE webhook_endpoint SET livemode = true")
        await w.emit("inv_1")
        assert await w.deliveries() == []


async def test_a_failure_is_repeated_with_the_same_id(database: FreshDatabase) -> None:
    """Same id, same body, a new timestamp; the schedule decides when."""
    async with world(database) as w, receiving() as shop:
        shop.answers(500, 403, 200)
        await w.endpoint(shop.url)
        [event_id] = await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "retrying"))
            [row] = await w.deliveries()
            assert timedelta(seconds=3) < row.next_attempt_at - w.clock().at
            assert row.next_attempt_at - w.clock().at <= timedelta(seconds=6)
            w.clock.put_forward(seconds=6)

            async def twice() -> bool:
                [row] = await w.deliveries()
                return row.attempts == 2

            # Written, not only sent: the next attempt is counted from the clock of the writing.
            await eventually(twice)
            w.clock.put_forward(seconds=360)
            await eventually(all_are(w, "succeeded"))
        assert shop.ids() == [event_id] * 3
        assert len({each.body for each in shop.requests}) == 1
        stamps = [int(each.headers["webhook-timestamp"]) for each in shop.requests]
        assert stamps == sorted(set(stamps))
        [row] = await w.deliveries()
        assert row.attempts == 3


async def test_a_killed_worker_loses_nothing(database: FreshDatabase) -> None:
    """Killed with a request in flight: after its lease the same event is sent again."""
    async with world(database) as w, receiving() as shop:

        async def hang(_received: Received) -> web.Response:
            await asyncio.sleep(60)
            return web.Response()

        shop.answer = hang
        await w.endpoint(shop.url)
        [event_id] = await w.emit("inv_1")
        async with w.killed():
            await eventually(lambda: shop.requests)
        [row] = await w.deliveries()
        assert (row.status, row.attempts) == ("scheduled", 0)
        assert row.leased_until is not None
        shop.answer = None
        async with w.working():
            await asyncio.sleep(0.3)
            assert len(shop.requests) == 1
            w.clock.put_forward(seconds=40)
            await eventually(all_are(w, "succeeded"))
        assert shop.ids() == [event_id, event_id]
        shop.requests[-1].verify(w.secret())


async def test_a_result_that_comes_after_its_lease_is_dropped(database: FreshDatabase) -> None:
    """Somebody else has the delivery by then, and their word counts."""
    async with world(database) as w, receiving() as shop:
        gate = asyncio.Event()

        async def late(_received: Received) -> web.Response:
            await gate.wait()
            return web.Response(status=500)

        shop.answer = late
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: shop.requests)
            await w.execute(
                "UPDATE webhook_delivery SET status = 'succeeded', leased_until = NULL"
            )
            gate.set()
        [row] = await w.deliveries()
        assert (row.status, row.attempts) == ("succeeded", 0)


async def test_stopping_waits_for_the_answer(database: FreshDatabase) -> None:
    """SIGTERM during a request: it ends, its result is written, nothing is sent twice."""
    async with world(database) as w, receiving() as shop:

        async def slow(_received: Received) -> web.Response:
            await asyncio.sleep(0.5)
            return web.Response(text="in the end")

        shop.answer = slow
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: shop.requests)
        [row] = await w.deliveries()
        assert (row.status, row.response_body) == ("succeeded", "in the end")


async def test_hanging_endpoints_do_not_delay_the_others(database: FreshDatabase) -> None:
    """Eight of them with a backlog each want more than all slots; a healthy one barely waits."""
    async with (
        world(database, concurrency=4, timeout_seconds=60) as w,
        receiving() as healthy,
        receiving() as black_hole,
    ):
        gate = asyncio.Event()

        async def hang(_received: Received) -> web.Response:
            await gate.wait()
            return web.Response()

        black_hole.answer = hang
        for number in range(8):
            await w.endpoint(black_hole.url, id_=f"whe_{number}")
        await w.emit(*[f"inv_{number}" for number in range(8)])
        await w.endpoint(healthy.url, id_="whe_healthy")
        async with w.working():
            await eventually(lambda: len(black_hole.requests) >= 4)
            await w.emit("inv_healthy")
            try:
                await eventually(lambda: healthy.requests)  # while all of them hang
            finally:
                gate.set()


async def test_one_endpoint_has_a_bounded_share(database: FreshDatabase) -> None:
    """However long its backlog, so many requests at once and no more."""
    async with world(database) as w, receiving() as shop:

        async def slow(_received: Received) -> web.Response:
            await asyncio.sleep(0.05)
            return web.Response()

        shop.answer = slow
        await w.endpoint(shop.url)
        await w.emit(*[f"inv_{number}" for number in range(60)])
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        assert len(set(shop.ids())) == len(shop.requests) == 60
        assert 8 <= shop.peak <= 16
