"""The feed: places are given after commit, so nothing appears behind one that was read."""

import asyncio

import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database, send
from gateway.models import Event
from gateway.postgres.url import Role
from gateway.webhooks.feed import place_events
from gateway.webhooks.outbox import emit
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import MERCHANT, World, eventually, world

pytestmark = pytest.mark.anyio


async def feed(w: World) -> list[str]:
    """Return the subjects that have a place, in the order of the feed."""
    query = select(Event.subject).where(Event.feed.is_not(None)).order_by(Event.feed)
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        return list(await session.scalars(query))


async def place(worker: Database) -> None:
    """Give places once, as gw_worker."""
    async with worker.unit_of_work(CROSS_TENANT) as session:
        await place_events(session)


_GROWN = """
INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
SELECT 'evt_' || n, 'mer_1', 'ping', 'old_' || n, 1, false, '1', '{}', now() FROM generate_series(1, 2000) n
"""
_LOOKED = """
SELECT pg_stat_get_xact_numscans(CAST('event' AS regclass)),
    pg_stat_get_xact_numscans(CAST('event_merchant' AS regclass)),
    pg_stat_get_xact_numscans(CAST('event_subject_sequence_key' AS regclass))
"""


@pytest.mark.parametrize("role", ["api", "worker"])
@pytest.mark.parametrize("counted", [True, False])
async def test_an_event_is_numbered_from_one_row_of_one_index(
    database: FreshDatabase, role: Role, *, counted: bool
) -> None:
    """Whatever the planner believes: that the table is as small as it was, or nothing."""
    teller = Database(database.url(role), pool_size=1)
    async with world(database) as w:
        await w.execute("ALTER TABLE event SET (autovacuum_enabled = off)")
        if counted:
            await w.execute("ANALYZE event")
        await w.execute(_GROWN)
        async with teller.unit_of_work(MERCHANT) as session:
            for _ in range(2):
                await emit(
                    session, w.clock(), type_="ping", merchant_id=MERCHANT, livemode=False,
                    subject="old_7", data={},
                )  # fmt: skip
            assert await send(session, _LOOKED, {}) == [(0, 0, 2)]
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            numbers = select(Event.sequence).where(Event.subject == "old_7")
            assert sorted(await session.scalars(numbers)) == [1, 2, 3]
    await teller.aclose()


async def test_an_older_number_that_commits_late_comes_later(database: FreshDatabase) -> None:
    """Its identity number is smaller, and whoever polled meanwhile still gets it."""
    worker = Database(database.url("worker"), pool_size=2)
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as slow:
            await emit(
                slow, w.clock(), type_="ping", merchant_id=MERCHANT, livemode=False,
                subject="slow", data={},
            )  # fmt: skip
            await w.emit("quick")
            await place(worker)
            assert await feed(w) == ["quick"]
        await place(worker)
        assert await feed(w) == ["quick", "slow"]
    await worker.aclose()


async def test_two_workers_give_every_event_one_place(database: FreshDatabase) -> None:
    """Side by side they wait for each other."""
    workers = [Database(database.url("worker"), pool_size=2) for _ in range(2)]
    async with world(database) as w:
        await w.emit(*(f"inv_{number}" for number in range(20)))
        await asyncio.gather(*(place(worker) for worker in workers))
        assert await feed(w) == [f"inv_{number}" for number in range(20)]
    for worker in workers:
        await worker.aclose()


async def test_the_worker_fills_the_feed(database: FreshDatabase) -> None:
    """Whatever happened is there soon."""
    async with world(database) as w, w.working():
        await w.emit("inv_1")

        async def placed() -> bool:
            return await feed(w) == ["inv_1"]

        await eventually(placed)
