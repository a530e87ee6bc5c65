"""The pool: no connection that died at rest is lent, and none is left open, whoever goes away."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import waiting
from sqlalchemy import event, text

from gateway.db import CROSS_TENANT, Database
from gateway.driver import Driver
from gateway.postgres.connect import connected
from gateway.postgres.url import role_url
from tests.conftest import FreshDatabase

pytestmark = pytest.mark.anyio


def made_by(database: Database) -> list[Driver]:
    """Return a list to which every connection is added that the pool makes from now on."""
    made: list[Driver] = []

    def connect(_: Any, record: Any) -> None:
        made.append(record.driver_connection)

    event.listen(database.engine.sync_engine, "connect", connect)
    return made


async def test_a_connection_that_died_at_rest_is_replaced(database: FreshDatabase) -> None:
    """The server ends it, as a restart does; the next transaction gets a living one."""
    ours = Database(role_url(database.settings, "owner"), pool_size=1, idle_seconds=0)
    other = Database(role_url(database.settings, "admin"), pool_size=1)
    try:
        async with ours.unit_of_work(CROSS_TENANT) as session:
            first = await session.scalar(text("SELECT pg_backend_pid()"))
        async with other.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first}
            )
        async with ours.unit_of_work(CROSS_TENANT) as session:
            assert await session.scalar(text("SELECT pg_backend_pid()")) != first
    finally:
        await ours.aclose()
        await other.aclose()


async def test_times_are_utc_wherever_the_server_stands(database: FreshDatabase) -> None:
    """A server of one's own has its country's time: what is read and added up has not."""
    with connected(database.settings, "admin", autocommit=True) as admin:
        named = admin.scalar(text("SELECT quote_ident(current_database())"))
        admin.exec_driver_sql(f"ALTER DATABASE {named} SET timezone = 'Europe/Berlin'")
    ours = Database(database.url("api"), pool_size=1)
    noon = datetime(2026, 10, 24, 12, tzinfo=UTC)  # its night is an hour longer there
    try:
        [(read, later)] = await ours.ask(
            "SELECT %(at)s::timestamptz, %(at)s::timestamptz + interval '1 day'", {"at": noon}
        )
    finally:
        await ours.aclose()
    assert (read.isoformat(), later - read) == ("2026-10-24T12:00:00+00:00", timedelta(days=1))


async def test_whoever_comes_back_late_leaves_no_connection_open(
    database: FreshDatabase,
) -> None:
    """Lent while the pool was closed, made meanwhile, or made afterwards: all are closed."""
    ours = Database(database.url("api"), pool_size=2)
    made = made_by(ours)
    async with ours.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("SELECT 1"))
        connecting = asyncio.create_task(ours.ask("SELECT 2", {}))
        await asyncio.sleep(0)
        assert len(made) == 1
        await ours.aclose()
        await session.execute(text("SELECT 3"))
    await connecting
    await ours.ask("SELECT 4", {})
    assert [each.closed for each in made] == [True] * 3


async def test_whoever_is_cancelled_at_any_turn_gives_the_connection_back(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is told how to commit: psycopg gives way there when the loop was busy."""
    monkeypatch.setattr(waiting, "MAX_BUSY_TIME", 0)
    alone = db.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def use() -> None:
        async with alone.connect() as connection:
            await connection.execute(text("SELECT 1"))

    turns, whole = 0, False
    while not whole:
        async with db.unit_of_work(CROSS_TENANT):
            pass  # a connection rests: only what lends it is cancelled
        task = asyncio.create_task(use())
        for _ in range(turns):
            await asyncio.sleep(0)
        whole = task.done()
        task.cancel()
        await asyncio.wait([task])
        assert db.engine.pool.checkedout() == 0, turns  # type: ignore[attr-defined]
        turns += 1
    assert turns > 3


def sockets() -> set[str]:
    """Return the sockets that this process has open."""
    return {
        name
        for each in Path("/proc/self/fd").iterdir()
        if (name := _target(each)).startswith("socket:")
    }


def _target(each: Path) -> str:
    try:
        return str(each.readlink())
    except FileNotFoundError:
        return ""  # the one that listed the folder


async def test_a_connection_given_up_half_way_is_closed_at_once(
    database: FreshDatabase,
) -> None:
    """Not when garbage is collected: until then it would have a place at the server."""
    ours, before = Database(database.url("api"), pool_size=1), sockets()
    task = asyncio.create_task(ours.ask("SELECT 1", {}))
    for _ in range(1000):
        if sockets() != before:
            break
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert sockets() == before
    await ours.aclose()
