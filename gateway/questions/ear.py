"""Hears for everybody who waits for an answer: one listening connection per process.

Who waits holds no connection. Each looks at its own row when it is woken, and once a second all
the same: a broken connection costs a delay, never an answer.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg
import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.db import Database

AGAIN_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(slots=True)
class Ear:
    """Those who wait for notices of one channel; a notice's payload says whose it is."""

    database: Database
    channel: str
    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=lambda: defaultdict(set))
    _listening: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def joined(self, subject: str) -> AsyncIterator[asyncio.Event]:
        """Lend an event that is set when there is news of the subject, or may be."""
        news = asyncio.Event()
        self._waiting[subject].add(news)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        try:
            yield news
        finally:
            self._waiting[subject].discard(news)
            if not self._waiting[subject]:
                del self._waiting[subject]
            await self._rest()

    async def _rest(self) -> None:
        """Give the connection back where nobody waits any more."""
        if self._listening is not None and not self._waiting:
            task, self._listening = self._listening, None
            task.cancel()
            await asyncio.wait([task])

    async def _listen(self) -> None:
        while True:
            try:
                async with self.database.listening(self.channel) as driver:
                    self._wake(list(self._waiting))  # what came before is heard by nobody
                    async for notice in driver.notifies():
                        self._wake([notice.payload])
            except (
                psycopg.Error,
                OperationalError,
                InterfaceError,
                PoolTimeout,
                OSError,
            ) as bad:
                # Those who wait look for themselves meanwhile.
                log.warning("waiting", task="answers", reason=str(bad)[:300])
            await asyncio.sleep(AGAIN_SECONDS)

    def _wake(self, subjects: Iterable[str]) -> None:
        for subject in subjects:
            for news in self._waiting.get(subject, ()):
                news.set()
