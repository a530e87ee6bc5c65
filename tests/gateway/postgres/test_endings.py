"""How transactions end: early, in a savepoint, with an answer missing; nothing leaks to the next."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg.waiting import Ready
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, make_transient_to_detached, mapped_column

from gateway.db import CROSS_TENANT, Database, acting_for, send, send_all, send_later
from gateway.driver import Driver
from gateway.statements import Statement

pytestmark = pytest.mark.anyio

WRITE = "INSERT INTO note VALUES (%(id)s, %(word)s)"
DEFERRED = "ALTER TABLE note ADD UNIQUE (word) DEFERRABLE INITIALLY DEFERRED"
NOTES = "SELECT id FROM note ORDER BY id"
TENANT = "SELECT current_setting('app.merchant_id', true)"


async def driver_of(session: AsyncSession) -> Driver:
    """Return the driver's connection of a session."""
    raw = await (await session.connection()).get_raw_connection()
    assert isinstance(raw.driver_connection, Driver)
    return raw.driver_connection


def unheard(*_: object) -> None:
    """Tell nobody."""


async def test_a_fault_within_a_savepoint_is_known_before_its_end(db: Database) -> None:
    """It undoes the savepoint alone; what was written before and comes after it stays."""
    async with db.unit_of_work("mer_1") as session:
        await send_later(session, WRITE, {"id": 1, "word": "a"})
        for _ in range(2):
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    later = await send_later(session, "SELECT 7", {})
                    assert later.statement.rows == [(7,)]
                    await send_later(session, WRITE, {"id": 1, "word": "b"})
        assert await send(session, TENANT, {}) == [("mer_1",)]
        await send_later(session, WRITE, {"id": 2, "word": "c"})
    async with db.unit_of_work(CROSS_TENANT) as session:
        assert await send(session, NOTES, {}) == [(1,), (2,)]


@pytest.mark.parametrize("ending", ["rollback", "commit", "close"])
async def test_a_session_whose_transaction_ended_touches_no_connection(
    db: Database, ending: str
) -> None:
    """The connection went back to the pool: it may serve another tenant by now."""
    async with db.unit_of_work("mer_1") as session:
        later = await send_later(session, f"{WRITE} RETURNING id", {"id": 1, "word": "a"})
        await getattr(session, ending)()
        async with db.unit_of_work("mer_2") as other:
            assert await send(other, TENANT, {}) == [("mer_2",)]
            for use in (
                send(session, TENANT, {}),
                send_all(session, (TENANT, {}), (WRITE, {"id": 2, "word": "b"})),
                send_later(session, WRITE, {"id": 3, "word": "c"}),
            ):
                with pytest.raises(RuntimeError, match="has ended"):
                    await use
            if ending == "commit":
                assert await later.rows() == [(1,)]
            else:
                with pytest.raises(RuntimeError, match="has ended"):
                    await later.rows()
    async with db.unit_of_work(CROSS_TENANT) as session:
        assert [*await send(session, NOTES, {})] == ([(1,)] if ending == "commit" else [])


async def test_a_commit_of_the_line_alone_is_heard_and_its_fault_known(
    db: Database,
) -> None:
    """Statements went down the line alone; the connection is whole for the next."""
    heard: list[object] = []
    listener = event.listens_for(db.engine.sync_engine, "commit")(heard.append)
    async with db.unit_of_work(CROSS_TENANT) as session:
        await send(session, DEFERRED, {})
    assert len(heard) == 1
    event.remove(db.engine.sync_engine, "commit", listener)
    with pytest.raises(IntegrityError):
        async with db.unit_of_work(CROSS_TENANT) as session:
            await send(session, WRITE, {"id": 1, "word": "a"})
            await send_later(session, WRITE, {"id": 2, "word": "a"})
    async with db.unit_of_work(CROSS_TENANT) as session:
        assert [*await send(session, NOTES, {})] == []


async def test_whoever_is_cancelled_leaves_nothing_open(db: Database) -> None:
    """A task that ends within its transaction undoes it before the connection is lent again."""
    begun = asyncio.Event()

    async def work() -> None:
        async with db.unit_of_work("mer_1") as session:
            await send(session, WRITE, {"id": 1, "word": "a"})
            begun.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with db.unit_of_work(CROSS_TENANT) as session:
        assert await send(session, TENANT, {}) == [("",)]
        assert [*await send(session, NOTES, {})] == []


async def test_the_tenant_is_restored_where_acting_for_another_failed(db: Database) -> None:
    """A refusal may be passed over: what follows is not the other tenant's."""
    async with db.unit_of_work("mer_1") as session:
        with suppress(KeyError):
            async with acting_for(session, "mer_2"):
                assert await send(session, TENANT, {}) == [("mer_2",)]
                raise KeyError
        assert await send(session, TENANT, {}) == [("mer_1",)]
        with pytest.raises(DBAPIError):
            async with session.begin_nested(), acting_for(session, "mer_2"):
                await send(session, "SELECT 1 / 0", {})
        assert await send(session, TENANT, {}) == [("mer_1",)]


async def test_a_missing_answer_is_trouble_of_the_connection(db: Database) -> None:
    """Whoever took it: the trip ends with a fault that callers know, and so does the connection."""
    with pytest.raises(DBAPIError):
        async with db.unit_of_work(CROSS_TENANT) as session:
            driver = await driver_of(session)
            driver.defer(Statement(NOTES, {}, unheard, unheard))
            trip = driver._trip(())
            next(trip)
            taken = 0
            while taken < 3:
                driver.pgconn.consume_input()
                if not driver.pgconn.is_busy():
                    taken += driver.pgconn.get_result() is None
            with pytest.raises(psycopg.OperationalError, match="answer"):
                trip.send(Ready.R)
    async with db.unit_of_work(CROSS_TENANT) as session:
        assert [*await send(session, NOTES, {})] == []


class Base(DeclarativeBase):
    """Tables of this module."""


class Note(Base):
    """A row as the session's unit of work has it."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]


def _attached(session: AsyncSession) -> None:
    note = Note(id=100, word="z")
    make_transient_to_detached(note)
    session.add(note)


def _expunged(session: AsyncSession) -> None:
    note = Note(id=100, word="z")
    session.add(note)
    session.expunge(note)


async def _savepoint(session: AsyncSession) -> None:
    async with session.begin_nested():
        pass


async def _begun(session: AsyncSession) -> None:
    await session.begin()


@pytest.mark.parametrize("touch", [_attached, _expunged, _savepoint, _begun])
@pytest.mark.parametrize("first", [True, False])
async def test_what_the_driver_began_is_committed_where_sqlalchemy_has_begun_nothing(
    db: Database, touch: Callable[[AsyncSession], Any], first: bool
) -> None:
    """A session that is in a transaction need not have asked for its connection."""
    async with db.unit_of_work("mer_1") as session:
        if not first:
            await send(session, WRITE, {"id": 1, "word": "a"})
        begun = touch(session)
        if begun is not None:
            await begun
        if first:
            await send_later(session, WRITE, {"id": 1, "word": "a"})
    async with db.unit_of_work(CROSS_TENANT) as session:
        assert await send(session, NOTES, {}) == [(1,)]


async def test_a_commit_of_the_driver_alone_is_heard(db: Database) -> None:
    """Crash points listen to the session's commits."""
    heard = []
    async with db.unit_of_work("mer_1") as session:
        for name in ("before_commit", "after_commit"):
            event.listen(session.sync_session, name, lambda _, name=name: heard.append(name))
        await send(session, WRITE, {"id": 1, "word": "a"})
    assert heard == ["before_commit", "after_commit"]
