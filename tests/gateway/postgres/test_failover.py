"""What a failover leaves behind: servers that only read, processes that are not heard of, silent lines."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.db import CROSS_TENANT, Database, send
from gateway.driver import Driver
from gateway.postgres.url import role_url
from gateway.rounds import TROUBLE
from tests.conftest import FreshDatabase

pytestmark = pytest.mark.anyio

UNHEARD_SECONDS = 0.2
PID = text("SELECT pg_backend_pid()")


@pytest.fixture
async def db(database: FreshDatabase) -> AsyncIterator[Database]:
    """One connection of somebody who is soon given up, and a table to write to."""
    made = Database(
        role_url(database.settings, "owner"),
        pool_size=1,
        idle_seconds=60,
        unheard_seconds=UNHEARD_SECONDS,
    )
    async with made.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("CREATE TABLE note (id integer PRIMARY KEY)"))
        await session.execute(text("INSERT INTO note VALUES (1)"))
    yield made
    await made.aclose()


async def only_read(database: FreshDatabase, *, yes: bool) -> None:
    """Let whoever connects from now on read and nothing else, or end that."""
    admin = Database(database.url("admin"), pool_size=1)
    name = database.url("admin").database
    word = "on" if yes else "off"
    async with admin.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("SET TRANSACTION READ WRITE"))
        await session.execute(
            text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {word}')
        )
    await admin.aclose()


@pytest.mark.parametrize("straight", [True, False])
async def test_a_server_that_only_reads_is_trouble_and_the_next_connection_another(
    db: Database, database: FreshDatabase, *, straight: bool
) -> None:
    """As a standby does that was the primary: it is waited out, on a connection to who is it now."""

    async def write() -> int:
        async with db.unit_of_work(CROSS_TENANT) as session:
            pid = int(await session.scalar(PID) or 0)
            if straight:
                await send(session, "UPDATE note SET id = id", {})
            else:
                await session.execute(text("UPDATE note SET id = id"))
        return pid

    await only_read(database, yes=True)
    await db.engine.dispose()
    with pytest.raises(TROUBLE, match="read-only transaction"):
        await write()
    await only_read(database, yes=False)
    assert await write() == await write()


async def test_a_transaction_that_is_not_heard_of_lets_its_locks_go(
    db: Database, database: FreshDatabase
) -> None:
    """Its process froze, or its machine is gone without a word: others wait for it no longer."""
    other = Database(role_url(database.settings, "owner"), pool_size=1)
    with pytest.raises(DBAPIError) as late:
        async with db.unit_of_work(CROSS_TENANT) as frozen:
            await frozen.execute(text("UPDATE note SET id = 2"))
            async with asyncio.timeout(10), other.unit_of_work(CROSS_TENANT) as session:
                await session.execute(text("UPDATE note SET id = 3"))
    await other.aclose()
    assert isinstance(late.value, TROUBLE)
    assert await db.ask("SELECT id FROM note", {}) == [(3,)]


async def test_connections_give_up_a_server_that_vanished(database: FreshDatabase) -> None:
    """The kernel asks whether it lives, and one that does not let us in is not waited for."""
    named = Database(database.url("api"), pool_size=1)
    async with named.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, Driver)
        told = raw.driver_connection.info.get_parameters()
    await named.aclose()
    assert {
        key: told[key] for key in told if key.startswith(("keepalives", "tcp", "connect"))
    } == {
        "connect_timeout": "5",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "25000",
    }


async def test_what_the_address_says_of_time_limits_stands(database: FreshDatabase) -> None:
    """An operator knows the way to the servers better; settings of the session are kept too."""
    url = database.url("api").difference_update_query(["host", "port"])
    url = url.update_query_dict(
        {
            "host": [f"{database.url('api').query['host']}:5432"] * 2,
            "target_session_attrs": "read-write",
            "connect_timeout": "2",
            "options": "-c work_mem=1MB",
        }
    )
    named = Database(url, pool_size=1, unheard_seconds=7)
    async with named.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, Driver)
        assert raw.driver_connection.info.get_parameters()["connect_timeout"] == "2"
        for name, value in (
            ("work_mem", "1MB"),
            ("idle_in_transaction_session_timeout", "7s"),
        ):
            assert await connection.scalar(text(f"SHOW {name}")) == value
    await named.aclose()
