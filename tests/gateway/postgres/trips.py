"""Round trips to the database, as libpq itself notes them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.pq import Trace
from sqlalchemy import event

from gateway.db import Database


@contextmanager
def traced(database: Database) -> Iterator[list[str]]:
    """Collect the round trips of connections lent within the block: what each of them sent."""
    trips: list[str] = []
    engine = database.engine.sync_engine
    with tempfile.TemporaryFile("w+") as file:

        def lend(connection: Any, *_: Any) -> None:
            connection.driver_connection.pgconn.trace(file.fileno())
            connection.driver_connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)

        def give_back(connection: Any, *_: Any) -> None:
            connection.driver_connection.pgconn.untrace()

        event.listen(engine, "checkout", lend)
        event.listen(engine, "checkin", give_back)
        try:
            yield trips
        finally:
            event.remove(engine, "checkout", lend)
            event.remove(engine, "checkin", give_back)
        file.seek(0)
        trips += _trips(file.read())


def _trips(trace: str) -> Iterator[str]:
    """Part what was sent where the server had to answer: a Sync, or a simple Query."""
    sent = ""
    for line in trace.splitlines():
        if not line.startswith("F\t"):
            continue
        sent += line + "\n"
        if line.split("\t")[2] in {"Sync", "Query"}:
            yield sent
            sent = ""
