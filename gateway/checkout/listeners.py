"""Who waits for an invoice to move: few at a time, and one question to the database for all.

A listener holds no database connection. While there are listeners one task asks once a second
how far their invoices have come, and wakes those whose invoice has moved.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.db import CROSS_TENANT, Database
from gateway.domain.errors import Unavailable

LISTENERS_MAX = 200
PER_INVOICE_MAX = 5
LOOK_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(slots=True)
class Listeners:
    """The listeners of one process."""

    database: Database
    listeners_max: int = LISTENERS_MAX
    look_seconds: float = LOOK_SECONDS
    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=lambda: defaultdict(set))
    _steps: dict[str, int] = field(default_factory=dict)
    _looking: asyncio.Task[None] | None = None

    @property
    def looking(self) -> bool:
        """Tell whether somebody looks for the listeners now."""
        return self._looking is not None

    def require_room(self, invoice_id: str) -> None:
        """Raise `Unavailable` where one more is too many; the state can be polled all the same."""
        here = len(self._waiting.get(invoice_id, ()))
        if (
            here >= PER_INVOICE_MAX
            or sum(map(len, self._waiting.values())) >= self.listeners_max
        ):
            raise Unavailable("too many listen now: poll the status", code="too_many_listeners")

    @contextmanager
    def joined(self, invoice_id: str) -> Iterator[asyncio.Event]:
        """Lend an event that is set whenever the invoice has moved."""
        self.require_room(invoice_id)
        news = asyncio.Event()
        self._waiting[invoice_id].add(news)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield news
        finally:
            self._waiting[invoice_id].discard(news)
            if not self._waiting[invoice_id]:
                del self._waiting[invoice_id]
                self._steps.pop(invoice_id, None)

    async def _look(self) -> None:
        """Look until nobody waits any more."""
        try:
            while self._waiting:
                try:
                    await self._wake()
                except (OperationalError, InterfaceError, PoolTimeout, OSError) as trouble:
                    # Their heartbeats look for themselves; the next look is in a second.
                    log.warning("waiting", task="listeners", reason=str(trouble)[:300])
                await asyncio.sleep(self.look_seconds)
        finally:
            self._looking = None

    async def _wake(self) -> None:
        function = func.invoice_steps(sorted(self._waiting)).table_valued("invoice_id", "step")
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            found = (
                await session.execute(select(function.c.invoice_id, function.c.step))
            ).all()
        for invoice_id, step in found:
            before = self._steps.get(invoice_id)
            if invoice_id in self._waiting:
                self._steps[invoice_id] = step
            # At the first look nobody knows whether a listener read the invoice before this step.
            if before != step:
                for news in self._waiting.get(invoice_id, ()):
                    news.set()
