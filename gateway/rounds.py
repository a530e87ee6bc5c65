"""A round of work that is repeated: trouble in the world is waited out, a bug ends the process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg
import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.measured import ORIGIN

TROUBLE = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError, OSError)
PAUSE_SECONDS_MAX = 10.0
PAUSE_SECONDS_MIN = 0.2

log = structlog.get_logger()


@dataclass(slots=True)
class Loop:
    """A round of work, repeated every so often, sooner when `wake` is set."""

    name: str
    work: Callable[[], Awaitable[bool | None]]
    seconds: float
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    pause_seconds: float = PAUSE_SECONDS_MIN
    """How long it rests after the first failure."""
    trouble: str | None = None
    """What it waits for; None where all goes well."""

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat until `stop`; a round that says that there is more is repeated at once."""
        failures = 0
        ORIGIN.set(lambda: self.name)
        while not stop.is_set():
            self.wake.clear()
            try:
                more = await self.work()
            except TROUBLE as trouble:
                failures += 1
                self._report(trouble)
                await _pause(self._backoff(failures), stop)
                continue
            failures = 0
            self.recover()
            if not more and not stop.is_set():
                await _pause(self.seconds, self.wake)

    def _backoff(self, failures: int) -> float:
        """Return the first pause, doubled with every failure in a row, 10 s at most."""
        return min(PAUSE_SECONDS_MAX, self.pause_seconds * (1 << min(failures - 1, 6)))

    def _report(self, trouble: BaseException) -> None:
        """Say what it waits for; the same thing once."""
        reason = next(iter(str(trouble).splitlines()), type(trouble).__name__)
        if reason != self.trouble:
            log.warning("waiting", task=self.name, reason=reason)
        self.trouble = reason

    def recover(self) -> None:
        """Say that it works; a loop whose round does not end says so itself."""
        if self.trouble is not None:
            log.info("recovered", task=self.name)
        self.trouble = None


class Waiting(Collector):
    """Tells which loops wait whenever it is scraped."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._loops = loops

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield one series for each loop that waits."""
        words = "1 for each task of the worker that waits for something in the world."
        waiting = GaugeMetricFamily("gateway_worker_waiting", words, labels=["task"])
        for loop in self._loops:
            if loop.trouble is not None:
                waiting.add_metric([loop.name], 1)
        yield waiting


@asynccontextmanager
async def ended_within(seconds: float, stop: asyncio.Event) -> AsyncIterator[None]:
    """Cancel what is done in the block where it has not ended `seconds` after `stop` was set.

    A database that hangs lets no statement end; systemd would wait for it, and kill.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as patience:

            async def told() -> None:
                await stop.wait()
                patience.reschedule(loop.time() + seconds)

            telling = asyncio.create_task(told())
            try:
                yield
            finally:
                telling.cancel()
    except TimeoutError:
        if not patience.expired():
            raise
        log.warning("ended within a round: what it began is undone")


async def _pause(seconds: float, until: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()
