"""Statements that share a round trip: in order, all or none, and the connection stays usable."""

import asyncio

import pytest
import structlog
from sqlalchemy import event, insert, table, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import column

from gateway.db import CROSS_TENANT, Database, send, send_all, send_later
from gateway.postgres.url import role_url
from tests.conftest import FreshDatabase
from tests.gateway.postgres.trips import traced

pytestmark = pytest.mark.anyio

NOTE = table("note", column("id"), column("word"))
WRITE = "INSERT INTO note VALUES (%(id)s, %(word)s)"
COUNT = "SELECT count(*) FROM note"


async def written(db: Database) -> list[int]:
    """Return the ids that were committed."""
    async with db.unit_of_work(CROSS_TENANT) as session:
        return list(await session.scalars(text("SELECT id FROM note ORDER BY id")))


async def test_a_transaction_takes_as_many_trips_as_answers_are_waited_for(
    db: Database,
) -> None:
    """BEGIN and the tenant go with the first statement, what can wait goes with the commit."""
    with traced(db) as trips:
        async with db.unit_of_work("mer_1") as session:
            [[tenant]], [[none]] = await send_all(
                session, ("SELECT current_setting('app.merchant_id')", {}), (COUNT, {})
            )
            await send_later(session, WRITE, {"id": 1, "word": "100 %"})
            later = await send_later(session, COUNT, {})
    assert (tenant, none, await later.rows()) == ("mer_1", 0, [(1,)])
    assert len(trips) == 2
    assert ["COMMIT" in trip for trip in trips] == [False, True]
    assert await db.ask(
        "SELECT current_setting('app.merchant_id', true), %(a)s::int", {"a": 7}
    ) == [("", 7)]


async def test_whatever_follows_sees_what_was_to_be_sent_later(db: Database) -> None:
    """SQLAlchemy's statements, many at once, savepoints, and the answer that is asked for."""
    async with db.unit_of_work(CROSS_TENANT) as session:
        later = await send_later(session, f"{WRITE} RETURNING word", {"id": 1, "word": "a"})
        assert await later.rows() == [("a",)]
        await send_later(session, WRITE, {"id": 2, "word": "b"})
        assert await session.scalar(text(COUNT)) == 2
        await send_later(session, WRITE, {"id": 3, "word": "c"})
        await session.execute(insert(NOTE), [{"id": i, "word": "d"} for i in (4, 5)])
        assert await send(session, COUNT, {}) == [(5,)]
        with pytest.raises(KeyError):
            async with session.begin_nested():
                await send_later(session, WRITE, {"id": 6, "word": "e"})
                raise KeyError
        await send_later(session, "DELETE FROM note WHERE id = %(id)s", {"id": 2})
        with pytest.raises(DBAPIError):
            await send(session, "SELECT %(nothing)s", {"nothing": object()})
    assert await written(db) == [1, 3, 4, 5]


async def test_the_first_fault_ends_all_and_the_connection_stays(db: Database) -> None:
    """What went before it is rolled back, what stands behind it is not run; then all is well."""
    twice = {"id": 1, "word": "a"}
    for _ in range(7):  # prepared from the sixth time on
        with pytest.raises(IntegrityError):
            async with db.unit_of_work(CROSS_TENANT) as session:
                await send_all(session, (WRITE, twice), (WRITE, twice), ("SELECT 1 / 0", {}))
        with pytest.raises(IntegrityError):
            async with db.unit_of_work(CROSS_TENANT) as session:
                await send_later(session, WRITE, twice)
                await send_later(session, WRITE, twice)
                await session.scalar(text(COUNT))
        with pytest.raises(IntegrityError):
            async with db.unit_of_work(CROSS_TENANT) as session:
                await send_later(session, WRITE, twice)
                await send_later(session, WRITE, twice)
        with pytest.raises(DBAPIError):
            await db.ask("SELECT 1 / %(by)s::int", {"by": 0})
        with pytest.raises(ZeroDivisionError):
            async with db.unit_of_work(CROSS_TENANT) as session:
                await send_later(session, WRITE, twice)
                raise ZeroDivisionError
    assert await written(db) == []


async def test_work_after_a_fault_that_was_passed_over_is_not_called_committed(
    db: Database,
) -> None:
    """PostgreSQL answers such a COMMIT with ROLLBACK, which looks like success."""
    with pytest.raises(DBAPIError, match="a fault was passed over"):
        async with db.unit_of_work(CROSS_TENANT) as session:
            await send(session, WRITE, {"id": 1, "word": "a"})
            with pytest.raises(DBAPIError):
                await send(session, "SELECT 1 / 0", {})
    assert await written(db) == []


async def test_a_rollback_keeps_what_is_prepared(db: Database) -> None:
    """It is one round trip, and the next transaction prepares nothing."""
    for ending in range(3):
        with traced(db) as trips, pytest.raises(DBAPIError):
            async with db.unit_of_work(CROSS_TENANT) as session:
                for _ in range(7):
                    await send_all(session, (COUNT, {}), ("SELECT %(a)s::int", {"a": 1}))
                await send(session, "SELECT 1 / 0", {})
        assert "ROLLBACK" in trips[-1]
        assert ('Parse\t "_pg3' in "".join(trips)) == (ending == 0)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("change", ["ALTER TABLE note ADD COLUMN more text", "DEALLOCATE ALL"])
async def test_what_is_prepared_and_outdated_fails_once(
    db: Database, database: FreshDatabase, change: str, *, alone: bool
) -> None:
    """Another session changed the table, or somebody dropped the statement: it is prepared anew."""
    every, one = "SELECT * FROM note", text("SELECT * FROM note WHERE id > 0")

    async def used() -> None:
        if alone:
            await db.ask(every, {})
        else:
            async with db.unit_of_work(CROSS_TENANT) as session:
                await send(session, every, {})

    async def queried() -> None:
        async with db.unit_of_work(CROSS_TENANT) as session:
            await session.execute(one)

    async def changed() -> None:
        if change.startswith("ALTER"):
            other = Database(role_url(database.settings, "owner"), pool_size=1)
            async with other.unit_of_work(CROSS_TENANT) as session:
                await session.execute(text(change))
            await other.aclose()
        else:
            # Within a block: psycopg, which reads what a command did, hears of a DO alone.
            await db.ask(f"DO $$ BEGIN EXECUTE '{change}'; END $$", {})

    for use in (used, queried):
        for _ in range(7):
            await use()
        await changed()
        change = change.replace("more", "yet")
        with pytest.raises(DBAPIError):
            await use()
        for _ in range(7):
            await use()


async def test_what_psycopg_forgets_is_prepared_anew(db: Database) -> None:
    """A rollback to a savepoint makes it drop every prepared statement."""

    async def often(session: AsyncSession) -> None:
        for _ in range(7):
            await send_all(session, (COUNT, {}), ("SELECT %(a)s::int", {"a": 1}))
            await session.scalar(text("SELECT 2"))

    for _ in range(3):
        with pytest.raises(KeyError):
            async with db.unit_of_work(CROSS_TENANT) as session:
                await often(session)
                with pytest.raises(DBAPIError):
                    async with session.begin_nested():
                        await send(session, "SELECT 1 / 0", {})
                await often(session)
                raise KeyError
        with traced(db) as trips:
            async with db.unit_of_work(CROSS_TENANT) as session:
                await often(session)
    assert "Parse" not in trips[-2]


async def test_nobody_gets_the_answers_of_a_call_that_was_given_up(db: Database) -> None:
    """The server is told to stop; the pool's only connection serves the next one."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), db.unit_of_work(CROSS_TENANT) as session:
            await send_all(
                session, (WRITE, {"id": 1, "word": "a"}), ("SELECT pg_sleep(30)", {})
            )
    async with db.unit_of_work(CROSS_TENANT) as session:
        assert await send(session, COUNT, {}) == [(0,)]


async def test_a_connection_that_ends_within_a_trip_is_replaced(db: Database) -> None:
    """Its statements raise, nothing of them stays, the next caller gets another connection."""
    with pytest.raises(DBAPIError):
        async with db.unit_of_work(CROSS_TENANT) as session:
            await send_all(
                session,
                (WRITE, {"id": 1, "word": "a"}),
                ("SELECT pg_terminate_backend(pg_backend_pid())", {}),
                (COUNT, {}),
            )
    assert await written(db) == []


async def test_every_statement_of_a_trip_is_heard_and_a_slow_one_logged(
    database: FreshDatabase,
) -> None:
    """Which of them was slow nobody knows, so the log names all."""
    db = Database(database.url("api"), pool_size=1, slow_milliseconds=20)
    heard: list[str] = []
    event.listen(
        db.engine.sync_engine, "before_cursor_execute", lambda *about: heard.append(about[2])
    )
    with structlog.testing.capture_logs() as logs:
        async with db.unit_of_work(CROSS_TENANT) as session:
            await send_all(session, ("SELECT 1", {}), ("SELECT pg_sleep(0.03)", {}))
            await send_later(session, "SELECT 2", {})
    await db.aclose()
    assert heard == ["SELECT 1", "SELECT pg_sleep(0.03)", "SELECT 2"]
    assert [entry["sql"] for entry in logs] == ["SELECT 1", "SELECT pg_sleep(0.03)"]
