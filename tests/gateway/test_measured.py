"""Slow statements are logged without what they were asked about; the pool can be watched."""

import asyncio

import pytest
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.db import CROSS_TENANT, Database
from gateway.measured import ORIGIN, measure
from tests.conftest import FreshDatabase
from tests.gateway.conftest import TestApi
from tests.gateway.worker.world import eventually

pytestmark = pytest.mark.anyio


async def test_a_slow_statement_is_logged_without_its_parameters(
    database: FreshDatabase,
) -> None:
    """With its text, its role and who was at work; also where it failed in the end."""
    db = Database(database.url("api"), pool_size=1, slow_milliseconds=20)
    ORIGIN.set(lambda: "/v1/slow")
    with structlog.testing.capture_logs() as logs:
        async with db.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("SELECT 1"))
            await session.execute(
                text("SELECT pg_sleep(0.03), CAST(:word AS text)"), {"word": "hush"}
            )
        with pytest.raises(DBAPIError):
            async with db.unit_of_work(CROSS_TENANT) as session:
                await session.execute(text("SET LOCAL statement_timeout = 30"))
                await session.execute(text("SELECT pg_sleep(9)"))
    await db.aclose()
    slow = [entry for entry in logs if entry["event"] == "slow statement"]
    assert [entry["role"] for entry in slow] == ["gw_api", "gw_api"]
    assert [entry["origin"] for entry in slow] == ["/v1/slow", "/v1/slow"]
    assert slow[0]["sql"].startswith("SELECT pg_sleep(0.03), CAST(")
    assert "hush" not in str(slow)


async def test_a_fault_of_a_statement_does_not_say_what_was_asked(
    database: FreshDatabase,
) -> None:
    """Hashes of passwords, letters and customers are parameters, and faults go to the log."""
    db = Database(database.url("api"), pool_size=1)
    with pytest.raises(DBAPIError) as fault:
        async with db.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("SELECT 1 / 0, CAST(:word AS text)"), {"word": "hush"})
    await db.aclose()
    assert "hush" not in str(fault.value)


async def test_the_pool_shows_who_waits(database: FreshDatabase) -> None:
    """One connection, two callers: one works, one waits; afterwards nobody does."""
    db, registry = Database(database.url("api"), pool_size=1), CollectorRegistry()
    measure(db.engine, registry)

    def shown(name: str) -> float | None:
        return registry.get_sample_value(f"gateway_database_pool_{name}")

    async with db.engine.connect():
        second = asyncio.create_task(_connect(db))
        await eventually(lambda: shown("waiting") == 1)
        assert (shown("size"), shown("checked_out")) == (1, 1)
        assert shown("overflow") == 0
    await second
    assert (shown("waiting"), shown("checked_out")) == (0, 0)
    assert shown("acquired_total") == 2
    assert (shown("acquire_seconds_total") or 0) > 0
    await db.aclose()


async def test_metrics_of_the_api_show_its_pool(api: TestApi) -> None:
    """Beside the requests, under one address."""
    shown = (await api.call("GET", "/metrics")).text
    assert "gateway_database_pool_size 8.0" in shown


async def _connect(db: Database) -> None:
    async with db.engine.connect():
        pass
