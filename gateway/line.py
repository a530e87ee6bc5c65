"""The line under a session: statements that go straight through the driver, heard by listeners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from traceback import clear_frames
from typing import Any, LiteralString, cast

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gateway.driver import Driver
from gateway.statements import Rows, Statement


async def reached(*arguments: Any, **named: Any) -> Driver:
    """Connect as psycopg does; what is given up half-way is closed at once.

    It stands in psycopg's frames, which SQLAlchemy's greenlets keep until garbage is collected;
    the server would hold a place for it meanwhile.
    """
    try:
        return await Driver.connect(*arguments, **named)
    except BaseException as given_up:
        clear_frames(given_up.__traceback__)
        raise


@dataclass(frozen=True, slots=True)
class Line:
    """The driver's connection under a session's, and who listens to what is executed."""

    driver: Driver
    connection: Connection

    def statement(self, text_: LiteralString, values: Mapping[str, Any]) -> Statement:
        """Return a statement that tells the listeners of this connection's engine."""
        return Statement(text_, values, self._before, self._after)

    async def run(self, statements: Sequence[Statement], *, alone: bool = False) -> list[Rows]:
        """Run statements in one round trip; return the rows of each. Raises as SQLAlchemy would."""
        self.require_open()
        try:
            await self.driver.run(statements, alone=alone)
        except psycopg.Error as fault:
            raise _translated(";".join(each.text for each in statements), fault) from fault
        return [each.rows or () for each in statements]

    async def commit(self) -> None:
        """Commit, and what was deferred with it. Raises as SQLAlchemy would, and tells its listeners."""
        self.require_open()
        for hear in self.connection.engine.dispatch.commit:
            hear(self.connection)
        try:
            await self.driver.commit()
        except psycopg.Error as fault:
            raise _translated("COMMIT", fault) from fault

    def require_open(self) -> None:
        """Refuse a connection that was given back: it may serve another tenant by now."""
        if self.connection.closed:
            raise RuntimeError("the transaction of this session has ended")

    def _before(self, statement: LiteralString, values: Mapping[str, Any]) -> None:
        # The engine's listeners: a connection would join them with its own, which nobody has.
        for hear in self.connection.engine.dispatch.before_cursor_execute:
            hear(self.connection, None, statement, values, None, False)  # noqa: FBT003 - SQLAlchemy's

    def _after(self, statement: LiteralString, values: Mapping[str, Any]) -> None:
        for hear in self.connection.engine.dispatch.after_cursor_execute:
            hear(self.connection, None, statement, values, None, False)  # noqa: FBT003 - SQLAlchemy's


def _translated(text_: str, fault: psycopg.Error) -> BaseException:
    return DBAPIError.instance(text_, None, fault, psycopg.Error, hide_parameters=True)


def line_on(connection: AsyncConnection) -> Line:
    """Return the line under a connection."""
    assert connection.sync_connection is not None  # noqa: S101 it is connected
    raw = connection.sync_connection.connection
    return Line(cast("Driver", raw.driver_connection), connection.sync_connection)


async def give_back(connection: AsyncConnection) -> None:
    """Close a connection: where that takes a while, to its end, whoever is cancelled meanwhile."""
    if line_on(connection).driver.rests:
        await connection.close()
    else:
        await connection.__aexit__(None, None, None)


class Lent(AsyncSession):
    """A session over one lent connection, which goes back when its transaction ends.

    What goes straight down the line begins a transaction that SQLAlchemy's part of the session
    knows nothing of. Where it began none itself it is not asked to end one either.
    """

    def __init__(self, bind: AsyncConnection, **named: Any) -> None:
        super().__init__(bind, **named)
        self._lent = bind
        self.line = line_on(bind)

    async def commit(self) -> None:
        """Commit what either began, and give the connection back."""
        heard = self.sync_session.dispatch
        if begun := self.in_transaction():
            await super().commit()
        else:
            heard.before_commit(self.sync_session)
        # SQLAlchemy may have begun without its connection: what the driver began is open still.
        if not (self._lent.closed or self.line.driver.rests):
            await self.line.commit()
        if not begun:
            heard.after_commit(self.sync_session)
        await self.close()

    async def rollback(self) -> None:
        """Undo what either began, and give the connection back."""
        await self.close()

    async def close(self) -> None:
        """Give the connection back; what was not committed is undone."""
        if self.in_transaction():
            await super().close()
        elif self.sync_session.identity_map:
            self.sync_session.close()  # without one it holds nothing
        await self._lent.close()

    async def __aexit__(self, *fault: object) -> None:
        """Close: where that takes a while, to its end, whoever is cancelled meanwhile."""
        if self.line.driver.rests:
            await self.close()
        else:
            await super().__aexit__(*fault)


@dataclass(frozen=True, slots=True)
class Later:
    """A statement that goes out with whatever comes next."""

    line: Line
    statement: Statement

    async def rows(self) -> Rows:
        """Return its rows; where it was not sent yet it is now."""
        if self.statement.rows is None:
            await self.line.run(())
        if self.statement.rows is None:
            raise RuntimeError("the statement was forgotten: its transaction was undone")
        return self.statement.rows
