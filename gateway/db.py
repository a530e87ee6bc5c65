"""Sessions and the one commit point of the house."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString, cast

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import URL, PoolProxiedConnection, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.driver import Driver
from gateway.line import Later, Lent, Line, give_back, line_on, reached
from gateway.measured import MeasuredPool, log_slow_statements
from gateway.statements import Rows

SLOW_MILLISECONDS = 500
UNHEARD_SECONDS = 60.0
_SILENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
"""libpq's words: seconds, and the last one milliseconds. Together they give up after 25 seconds."""
_RESTS_SINCE = "rests_since"
_SET_TENANT = "SELECT set_config('app.merchant_id', %(merchant_id)s, true)"
CROSS_TENANT = None
"""For roles whose policies see every tenant; as gw_api it sees no tenant's row at all."""


class Database:
    """An engine for one role. Every change goes through `unit_of_work`.

    A connection that rested for longer than `idle_seconds` is asked whether it lives before it
    is lent: a round trip that a busy process can do without. A transaction in which the server
    hears nothing for `unheard_seconds` is undone: its process froze, or its machine is gone.
    """

    def __init__(
        self,
        url: URL,
        *,
        pool_size: int,
        slow_milliseconds: int = SLOW_MILLISECONDS,
        idle_seconds: float = 0,
        unheard_seconds: float = UNHEARD_SECONDS,
    ) -> None:
        self.engine = create_async_engine(
            url,
            poolclass=MeasuredPool,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_use_lifo=True,  # few are warm: each prepares and plans its statements by itself
            connect_args={"async_creator_fn": reached, **_sessions_of(url, unheard_seconds)},
            json_deserializer=msgspec.json.decode,  # lists have hundreds of columns to read
            hide_parameters=True,  # faults are logged whole, and hashes and letters are parameters
        )
        _ping_the_idle(self.engine, idle_seconds)
        log_slow_statements(self.engine, milliseconds=slow_milliseconds, role=url.username)
        self.info: dict[str, Any] = {}
        """What every session of this process carries; the composition root fills it."""
        self._sessions = async_sessionmaker(class_=Lent, expire_on_commit=False, info=self.info)

    @asynccontextmanager
    async def unit_of_work(self, merchant_id: str | None) -> AsyncIterator[AsyncSession]:
        """Open one transaction under one tenant; commit at its end or roll all of it back.

        The tenant is set for this transaction only: a session-level setting would leak to the
        next user of the pooled connection.
        """
        async with self._sessions(bind=await self.engine.connect()) as session:
            if merchant_id is not None:
                await send_later(session, _SET_TENANT, {"merchant_id": merchant_id})
            yield session
            await session.commit()

    async def ask(self, statement: LiteralString, values: Mapping[str, Any]) -> Rows:
        """Run one statement that is its own transaction, under no tenant; return its rows."""
        connection = await self.engine.connect()
        line = line_on(connection)
        try:
            [rows] = await line.run([line.statement(statement, values)], alone=True)
            return rows
        finally:
            await give_back(connection)

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Lend a connection that hears a channel: iterate over its `notifies()`.

        It is closed afterwards: a listening connection is of no use to others.
        """
        async with self.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            if not isinstance(driver, psycopg.AsyncConnection):
                raise TypeError(f"LISTEN needs psycopg, not {type(driver).__name__}")
            try:
                await driver.set_autocommit(True)
                await driver.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                yield driver
            finally:
                await connection.invalidate()

    async def aclose(self) -> None:
        """Close every connection; one that is lent or being made, when it comes back."""
        event.listen(self.engine.sync_engine, "checkin", lambda _, record: record.close())
        await self.engine.dispose()


def _sessions_of(url: URL, unheard_seconds: float) -> dict[str, object]:
    """Return how long silence is borne where the address does not say: Linux waits for hours.

    Times come and are counted in UTC, wherever the server stands.
    """
    unheard = f"-c idle_in_transaction_session_timeout={round(unheard_seconds * 1000)}"
    ours = {key: _SILENCE[key] for key in _SILENCE.keys() - url.query.keys()}
    return {**ours, "options": f"{unheard} {url.query.get('options', '')} -c timezone=UTC"}


def _ping_the_idle(engine: AsyncEngine, seconds: float) -> None:
    def checkin(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS_SINCE] = time.monotonic()

    def checkout(
        connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection
    ) -> None:
        if cast("Driver", record.driver_connection).outlived:
            raise InvalidatePoolError
        since = record.info.get(_RESTS_SINCE)
        if since is None or time.monotonic() - since < seconds:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as gone:
            raise InvalidatePoolError from gone

    event.listen(engine.sync_engine, "checkin", checkin)
    event.listen(engine.sync_engine, "checkout", checkout)


_ASK_CONSTRAINTS = text("SET CONSTRAINTS ALL IMMEDIATE")
_DEFER_CONSTRAINTS = text("SET CONSTRAINTS ALL DEFERRED")
_CURRENT_TENANT = text("SELECT coalesce(current_setting('app.merchant_id', true), '')")


async def _line_of(session: AsyncSession) -> Line:
    line = session.line if isinstance(session, Lent) else None
    if line is None or session.in_nested_transaction():
        # SQLAlchemy sets a savepoint when the session first asks for its connection.
        line = line_on(await session.connection())
    return line


async def send(
    session: AsyncSession, statement: LiteralString, values: Mapping[str, Any]
) -> Rows:
    """Run one statement straight through the driver, in the session's transaction; return its rows.

    For what nearly every request runs: SQLAlchemy's own way costs several times the driver's.
    Parameters are the driver's, `%(name)s`. What the session holds back is not flushed first.
    Raises as SQLAlchemy would, and tells its listeners.
    """
    [rows] = await send_all(session, (statement, values))
    return rows


async def send_all(
    session: AsyncSession, *statements: tuple[LiteralString, Mapping[str, Any]]
) -> list[Rows]:
    """Run statements in one round trip, as `send` does; return the rows of each.

    Each sees what those before it did. The first fault is raised, and nothing behind it is run.
    """
    line = await _line_of(session)
    return await line.run([line.statement(*each) for each in statements])


async def send_later(
    session: AsyncSession, statement: LiteralString, values: Mapping[str, Any]
) -> Later:
    """Run one statement in the round trip of whatever comes next.

    That may be any statement of this session, or its commit; they raise its fault. The order is
    kept, so all that follows sees what it did. Within a savepoint it is run now: its fault has
    to be known before the savepoint is released.
    """
    line = await _line_of(session)
    line.require_open()
    later = line.statement(statement, values)
    if session.in_nested_transaction():
        await line.run([later])
    else:
        line.driver.defer(later)
    return Later(line, later)


@asynccontextmanager
async def acting_for(session: AsyncSession, merchant_id: str) -> AsyncIterator[None]:
    """Act inside one tenant for a part of this transaction, then return to where it was.

    Only for operators. A savepoint that is undone restores it too.
    """
    before = await session.scalar(_CURRENT_TENANT)
    await send_later(session, _SET_TENANT, {"merchant_id": merchant_id})
    try:
        yield
        await session.flush()
    except Exception:
        if not session.in_nested_transaction():
            await send_later(session, _SET_TENANT, {"merchant_id": before})
        raise
    await send_later(session, _SET_TENANT, {"merchant_id": before})


@asynccontextmanager
async def checked(session: AsyncSession) -> AsyncIterator[None]:
    """Ask deferred constraints at the end of a savepoint: what they refuse is undone alone.

    Raises SQLAlchemy's `IntegrityError`.
    """
    async with session.begin_nested():
        yield
        await session.execute(_ASK_CONSTRAINTS)
        await session.execute(_DEFER_CONSTRAINTS)


def as_json(value: object) -> Jsonb:
    """Return what a statement takes for a `jsonb` column; decimals become text."""
    return Jsonb(value, dumps=msgspec.json.encode)


async def notify(session: AsyncSession, channel: str, payload: str) -> None:
    """Wake listeners of a channel when this transaction commits."""
    arguments: dict[str, Any] = {"channel": channel, "payload": payload}
    await session.execute(text("SELECT pg_notify(:channel, :payload)"), arguments)
