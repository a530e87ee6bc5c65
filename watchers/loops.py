"""How a watcher's work is repeated: trouble in the world is waited out and named, a bug ends the process."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from keystore.client import KeystoreRefused, KeystoreUnavailable
from watchers.health import Health
from watchers.network import Incomplete, NodeUnavailable, Refused
from watchers.scan.reorg import FinalityBroken

TROUBLE = (
    NodeUnavailable,
    Incomplete,
    Refused,
    KeystoreUnavailable,
    KeystoreRefused,
    OperationalError,
    InterfaceError,
    InternalError,
    PoolTimeout,
    FinalityBroken,
    ConnectionError,
)
PAUSE_SECONDS_MAX = 10.0
PATIENCE = 4

Work = Callable[[], Awaitable[object]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loops:
    """Repeats the work of one network; what goes wrong with a task is its health."""

    network: str
    health: Health

    async def repeat(self, name: str, work: Work, pause: float) -> None:
        """Repeat work; a true answer means that there is more right away."""
        failures = 0
        while True:
            try:
                more = await work()
            except TROUBLE as trouble:
                failures += 1
                # A block that is not whole yet is the daily life of a node at its head.
                if failures >= PATIENCE or not isinstance(trouble, Incomplete):
                    self.report(name, trouble)
                await asyncio.sleep(min(PAUSE_SECONDS_MAX, pause * 2 ** min(failures, 6)))
                continue
            self.recover(name)
            failures = 0
            if not more:
                await asyncio.sleep(pause)

    async def patiently(self, name: str, work: Work) -> None:
        """Do one step of the start, waiting out trouble."""
        pause = 0.2
        while True:
            try:
                await work()
            except TROUBLE as trouble:
                self.report(name, trouble)
                await asyncio.sleep(pause)
                pause = min(PAUSE_SECONDS_MAX, pause * 2)
                continue
            self.recover(name)
            return

    def report(self, name: str, trouble: BaseException) -> None:
        """Say what a task waits for; the same thing once."""
        reason = f"{name}: {trouble or type(trouble).__name__}".splitlines()[0][:300]
        if self.health.fail(name, reason):
            log.warning("waiting", network=self.network, task=name, reason=reason)

    def recover(self, name: str) -> None:
        """Say that a task works; one whose round does not end says so itself."""
        if self.health.recover(name):
            log.info("recovered", network=self.network, task=name)
