"""The lease where its holder is not heard of any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from gateway.catalog.troubles import Troubles
from gateway.db import CROSS_TENANT, Database
from tests.conftest import FreshDatabase
from watchers import health, store
from watchers.clock import now
from watchers.commands.carried import opened
from watchers.health import Health
from watchers.lease import UNHEARD_SECONDS, Lease
from watchers.loops import Loops
from watchers.network import BlockRef, Tip
from watchers.store import LEASE, LeaseLost

pytestmark = pytest.mark.anyio

NETWORK = "ethereum"
FROZEN_SECONDS = 0.2


@pytest.fixture
async def frozen(database: FreshDatabase) -> AsyncIterator[Database]:
    """Lend the database of a watcher that will not be heard of, with a cursor of its network."""
    owner = Database(database.url("owner"), pool_size=1)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            text(
                "INSERT INTO network (id, family, display_name, identity, test, local)"
                " VALUES ('ethereum', 'ethereum', 'Ethereum', '1', true, true)"
            )
        )
        await store.create_cursor(session, NETWORK, BlockRef(1, "0x1", "0x0", now().at), now())
    await owner.aclose()
    made = opened(database.settings, unheard_seconds=FROZEN_SECONDS)
    yield made
    await made.aclose()


async def test_a_watcher_that_froze_within_a_transaction_is_taken_over_from(
    frozen: Database, database: FreshDatabase
) -> None:
    """It holds the cursor's row; without an end of that nobody else would ever come in."""
    loops = Loops(NETWORK, Health())
    before = await Lease(NETWORK, frozen, loops).take()
    async with frozen.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("UPDATE cursor SET leased_until = clock_timestamp()"))
    standby = opened(database.settings, unheard_seconds=60)
    with suppress(DBAPIError):  # what it finds when it wakes up
        async with frozen.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, before)
            async with asyncio.timeout(10):
                after = await Lease(NETWORK, standby, loops).take()
    await standby.aclose()
    assert after.epoch == before.epoch + 1
    with pytest.raises(LeaseLost):
        async with frozen.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, before)


async def test_a_lease_is_counted_by_the_clock_of_the_database(frozen: Database) -> None:
    """A watcher whose own clock is an hour ahead keeps nobody out for an hour."""
    held = await Lease(NETWORK, frozen, Loops(NETWORK, Health())).take()
    left = text("SELECT leased_until - clock_timestamp() FROM cursor")
    async with frozen.unit_of_work(CROSS_TENANT) as session:
        moved = replace(held, height=2, hash="0x2")
        await store.advance(session, held, moved, now().at + timedelta(hours=1))
        assert LEASE / 2 < await session.scalar(left) <= LEASE
        await store.renew_lease(session, moved)
        assert LEASE / 2 < await session.scalar(left) <= LEASE


async def test_a_transaction_is_given_up_before_the_lease_runs_out() -> None:
    """So it delays the next watcher by no more than the lease itself."""
    assert LEASE.total_seconds() > UNHEARD_SECONDS


async def test_a_watcher_that_slept_does_not_speak_for_a_network_of_another(
    frozen: Database,
) -> None:
    """What it saw before it slept is old; its row is the other's."""
    lease = Lease(NETWORK, frozen, Loops(NETWORK, Health()))
    slept = await lease.take()
    await lease.release(slept)
    await lease.take()
    with pytest.raises(LeaseLost):
        await health.publish(frozen, slept, Tip(1, 1), "old", {})
    assert await health.all_networks(frozen) == []


async def test_a_database_that_hangs_keeps_no_watcher_from_its_end(
    frozen: Database, database: FreshDatabase
) -> None:
    """The lease runs out by itself; the process was told to stop."""
    lease = Lease(NETWORK, frozen, Loops(NETWORK, Health()), release_seconds=0.1)
    position = await lease.take()
    other = Database(database.url("owner"), pool_size=1)
    async with asyncio.timeout(20), other.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("SELECT FROM cursor FOR UPDATE"))
        with capture_logs() as logs:
            await lease.release(position)
    await other.aclose()
    assert [(line["event"], line["cause"]) for line in logs if "cause" in line] == [
        ("lease kept until it runs out", "TimeoutError")
    ]


async def test_the_age_of_a_watcher_grows_while_nobody_can_look(frozen: Database) -> None:
    """Between two looks, and in an outage of the database, which ends every look."""
    position = await Lease(NETWORK, frozen, Loops(NETWORK, Health())).take()
    await health.publish(frozen, position, Tip(1, 1), None, {})
    registry = CollectorRegistry()
    later = replace(now(), at=now().at + LEASE)
    await Troubles(registry).round(frozen, later)

    def age() -> float:
        seen = registry.get_sample_value("gateway_watcher_age_seconds", {"network": NETWORK})
        assert seen is not None
        return seen

    first, second = age(), age()
    assert LEASE.total_seconds() - 1 < first < second < LEASE.total_seconds() + 60
