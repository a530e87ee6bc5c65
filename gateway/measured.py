"""What the database costs: slow statements in the log, the connection pool in the metrics."""

import logging
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import (
    AsyncAdaptedQueuePool,
    Connection,
    ExceptionContext,
    PoolProxiedConnection,
    event,
)
from sqlalchemy.ext.asyncio import AsyncEngine

SQL_CHARACTERS_MAX = 2000
ORIGIN: ContextVar[Callable[[], str]] = ContextVar("origin", default=str)
"""Names the route or the task that is at work, when somebody asks."""
_BEGAN: ContextVar[float | None] = ContextVar("began", default=None)

log = structlog.get_logger()
# SQLAlchemy quiets its own loggers; this one it names after our class.
logging.getLogger(f"{__name__}.MeasuredPool").setLevel(logging.WARNING)


class MeasuredPool(AsyncAdaptedQueuePool):
    """A pool that knows who waits for a connection, and how long that takes."""

    waiting = 0
    acquired = 0
    acquiring_seconds = 0.0

    def connect(self) -> PoolProxiedConnection:
        """Lend a connection; the wait for it, a new one and the ping included."""
        began = time.perf_counter()
        self.waiting += 1
        try:
            return super().connect()
        finally:
            self.waiting -= 1
            self.acquired += 1
            self.acquiring_seconds += time.perf_counter() - began


class PoolCollector(Collector):
    """Tells of one pool whenever it is scraped; nothing is counted twice."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        """Read the pool as it is."""
        pool = self._engine.pool
        if not isinstance(pool, MeasuredPool):
            raise TypeError(f"not a measured pool: {type(pool).__name__}")
        busy = pool.checkedout()
        yield _gauge("size", "Connections that the pool keeps.", pool.size())
        yield _gauge("checked_out", "Connections in use.", busy)
        yield _gauge("overflow", "Connections in use beyond its size.", busy - pool.size())
        yield _gauge("waiting", "Callers without the connection they asked for.", pool.waiting)
        yield CounterMetricFamily(
            "gateway_database_pool_acquired", "Connections asked for.", value=pool.acquired
        )
        yield CounterMetricFamily(
            "gateway_database_pool_acquire_seconds",
            "Time that callers waited for a connection, in all.",
            value=pool.acquiring_seconds,
        )


def measure(engine: AsyncEngine, registry: CollectorRegistry) -> None:
    """Show an engine's pool in a registry."""
    registry.register(PoolCollector(engine))


def log_slow_statements(engine: AsyncEngine, *, milliseconds: int, role: str | None) -> None:
    """Log statements that take longer, with their text and never with their parameters."""

    def begin(
        _: Connection, __: Any, statement: str, values: Any, *___: Any
    ) -> tuple[str, Any]:
        _BEGAN.set(time.perf_counter())
        return statement, values  # with `retval` nothing is wrapped around each call

    def end(_: Connection, __: Any, statement: str, *___: Any) -> None:
        note(statement)

    def fail(context: ExceptionContext) -> None:
        if context.statement is not None:
            note(context.statement)

    def note(statement: str) -> None:
        # Statements that went together are all named, each with the time of their round trip.
        began = _BEGAN.get()
        taken = 0 if began is None else (time.perf_counter() - began) * 1000
        if taken >= milliseconds:
            log.warning(
                "slow statement",
                ms=round(taken, 1),
                sql=" ".join(statement.split())[:SQL_CHARACTERS_MAX],
                role=role,
                origin=ORIGIN.get()() or None,
            )

    event.listen(engine.sync_engine, "before_cursor_execute", begin, retval=True)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    event.listen(engine.sync_engine, "handle_error", fail)


def _gauge(name: str, words: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"gateway_database_pool_{name}", words, value=max(0, value))
