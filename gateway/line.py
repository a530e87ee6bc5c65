"""The line under a session: statements that go straight through the driver, heard by listeners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, cast

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.driver import Driver, Rows, Statement


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
            texts = ";".join(each.text for each in statements)
            raise DBAPIError.instance(
                texts, None, fault, psycopg.Error, hide_parameters=True
            ) from fault
        return [each.rows or () for each in statements]

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


def line_on(connection: AsyncConnection) -> Line:
    """Return the line under a connection."""
    assert connection.sync_connection is not None  # noqa: S101 it is connected
    raw = connection.sync_connection.connection
    return Line(cast("Driver", raw.driver_connection), connection.sync_connection)


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
