"""A round of work that is repeated: trouble in the world is waited out, a bug ends the process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
import structlog
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
                reason = str(trouble).splitlines()[:1]
                log.warning("waiting", task=self.name, reason=reason[0] if reason else "")
                await _pause(_backoff(failures), stop)
                continue
            failures = 0
            if not more and not stop.is_set():
                await _pause(self.seconds, self.wake)


async def _pause(seconds: float, until: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()


def _backoff(failures: int) -> float:
    """Return 0.2 s, doubled with every failure in a row, 10 s at most."""
    return min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN * (1 << min(failures - 1, 6)))
