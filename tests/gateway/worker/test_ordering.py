"""Events of one subject arrive one after the other, whatever happens in between."""

import asyncio

import pytest
from aiohttp import web

from tests.conftest import FreshDatabase
from tests.gateway.worker.world import (
    Received,
    all_are,
    ended,
    eventually,
    receiving,
    world,
)

pytestmark = pytest.mark.anyio


async def test_events_of_a_subject_wait_for_the_one_before(database: FreshDatabase) -> None:
    """The first fails once: the second waits, another subject does not."""
    async with world(database) as w, receiving() as shop:
        failed = False

        async def fail_the_first(received: Received) -> web.Response:
            nonlocal failed
            if received.document["subject"] == "inv_1" and not failed:
                failed = True
                return web.Response(status=500)
            return web.Response()

        shop.answer = fail_the_first
        await w.endpoint(shop.url)
        first, second, third, other = await w.emit("inv_1", "inv_1", "inv_1", "inv_2")
        async with w.working():
            await eventually(lambda: len(shop.requests) == 2)
            await asyncio.sleep(0.3)
            assert set(shop.ids()) == {first, other}
            w.clock.put_forward(seconds=6)
            await eventually(all_are(w, "succeeded"))
        mine = [each for each in shop.ids() if each != other]
        assert mine == [first, first, second, third]


async def test_order_is_kept_per_endpoint(database: FreshDatabase) -> None:
    """An endpoint that fails does not hold back the same subject elsewhere."""
    async with world(database) as w, receiving() as broken, receiving() as healthy:
        broken.answers(500)
        await w.endpoint(broken.url, id_="whe_broken")
        await w.endpoint(healthy.url, id_="whe_healthy")
        ids = await w.emit("inv_1", "inv_1", "inv_1")
        async with w.working():
            await eventually(lambda: len(healthy.requests) == 3)
            await eventually(lambda: broken.requests)
        assert healthy.ids() == ids
        # However often it was tried again meanwhile: what comes after it waits.
        assert set(broken.ids()) == {ids[0]}


async def test_an_hour_old_head_lets_younger_ones_pass(database: FreshDatabase) -> None:
    """What was passed is not sent any more once a younger event has arrived."""
    async with world(database) as w, receiving() as shop:
        shop.answers(500, 200)
        await w.endpoint(shop.url)
        first, second = await w.emit("inv_1", "inv_1")
        async with w.working():
            await eventually(lambda: len(shop.requests) == 1)
            await asyncio.sleep(0.2)
            assert shop.ids() == [first]
            await w.execute(
                "UPDATE webhook_delivery SET created_at = created_at - interval '61 minutes'"
            )
            await eventually(lambda: len(shop.requests) == 2)
            await eventually(lambda: ended(w))
        assert shop.ids() == [first, second]
        rows = await w.deliveries()
        assert [row.status for row in rows] == ["skipped", "succeeded"]
        assert rows[0].error == "a newer event of this subject was delivered"


async def test_order_survives_a_worker_that_was_away_for_hours(
    database: FreshDatabase,
) -> None:
    """Old events that are due go one by one, however old they are."""
    async with world(database) as w, receiving() as shop:

        async def slow(_received: Received) -> web.Response:
            await asyncio.sleep(0.05)
            return web.Response()

        shop.answer = slow
        await w.endpoint(shop.url)
        ids = await w.emit(*["inv_1"] * 5)
        await w.execute(
            "UPDATE webhook_delivery SET created_at = created_at - interval '5 hours',"
            " next_attempt_at = next_attempt_at - interval '5 hours'"
        )
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        assert (shop.ids(), shop.peak) == (ids, 1)


async def test_an_exhausted_head_lets_the_next_one_go(database: FreshDatabase) -> None:
    """Ten attempts are the end of one event, not of its subject."""
    async with world(database) as w, receiving() as shop:
        shop.answers(500, 200)
        await w.endpoint(shop.url)
        first, second = await w.emit("inv_1", "inv_1")
        await w.execute("UPDATE webhook_delivery SET attempts = 9 WHERE sequence = 1")
        async with w.working():
            await eventually(lambda: ended(w))
        assert shop.ids() == [first, second]
        assert await w.statuses() == ["exhausted", "succeeded"]
        assert (await w.endpoint_row()).exhausted_in_a_row == 0


async def test_two_workers_send_everything_once(database: FreshDatabase) -> None:
    """Leases divide the queue between them, and order holds."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        ids = await w.emit(*[f"inv_{number % 10}" for number in range(50)])
        async with w.working(), w.working():
            await eventually(all_are(w, "succeeded"))
        assert sorted(shop.ids()) == sorted(ids)
        for subject in {each.document["subject"] for each in shop.requests}:
            sequences = [
                each.document["sequence"]
                for each in shop.requests
                if each.document["subject"] == subject
            ]
            assert sequences == [1, 2, 3, 4, 5]
