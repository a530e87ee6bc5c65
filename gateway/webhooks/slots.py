"""The sender's slots: so many requests at once, and none of them holds its slot for long."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from gateway.webhooks.delivery import Delivery

PATIENCE_SECONDS = 0.25
"""How long a request may hold a slot; then the next one gets it, and this one goes on without."""


class Slots:
    """Deliveries that wait here are sent in the order in which they came."""

    def __init__(
        self, size: int, fly: Callable[[Delivery], Awaitable[None]], tasks: asyncio.TaskGroup
    ) -> None:
        self._free = size
        self._fly = fly
        self._tasks = tasks
        self._waiting: deque[Delivery] = deque()

    @property
    def waiting(self) -> int:
        """Return how many have no slot yet."""
        return len(self._waiting)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries behind those that wait; start as many as there are slots."""
        self._waiting.extend(deliveries)
        self._fill()

    def _fill(self) -> None:
        for _ in range(min(self._free, len(self._waiting))):
            self._free -= 1
            self._tasks.create_task(self._serve())

    async def _serve(self) -> None:
        """Hold one slot and send one after the other, until nothing waits or one was slow."""
        loop = asyncio.get_running_loop()
        slow = asyncio.Event()
        while self._waiting:
            patience = loop.call_later(PATIENCE_SECONDS, self._pass_on, slow)
            try:
                await self._fly(self._waiting.popleft())
            finally:
                patience.cancel()
            if slow.is_set():
                return
        self._free += 1

    def _pass_on(self, slow: asyncio.Event) -> None:
        slow.set()
        self._free += 1
        self._fill()
