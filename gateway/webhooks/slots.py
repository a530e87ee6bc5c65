"""The sender's slots: so many requests at once, and none of them holds its slot for long."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable

from gateway.webhooks.delivery import Delivery

PATIENCE_SECONDS = 0.25
"""How long a request may hold a slot; then the next one gets it, and this one goes on without."""


class Slots:
    """Merchants take turns, each with its deliveries in the order in which they came.

    No merchant has more than `per_merchant` under way, those that go on without a slot included.
    """

    def __init__(
        self,
        size: int,
        fly: Callable[[Delivery], Awaitable[None]],
        tasks: asyncio.TaskGroup,
        *,
        per_merchant: int,
    ) -> None:
        self.ready = 0
        """How many want nothing but a slot: what waits for its merchant's bound is left out."""
        self._free = size
        self._fly = fly
        self._tasks = tasks
        self._per_merchant = per_merchant
        self._lines: dict[str, deque[Delivery]] = {}  # whose turn it is comes first
        self._under_way: Counter[str] = Counter()

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries behind those that wait; start as many as there are slots."""
        for delivery in deliveries:
            line = self._lines.setdefault(delivery.merchant_id, deque())
            line.append(delivery)
            self.ready += len(line) <= self._room(delivery.merchant_id)
        self._fill()

    def _fill(self) -> None:
        for _ in range(min(self._free, self.ready)):
            self._free -= 1
            self._tasks.create_task(self._serve())

    async def _serve(self) -> None:
        """Hold one slot and send one after the other, until nothing may go or one was slow."""
        loop = asyncio.get_running_loop()
        slow = asyncio.Event()
        while (delivery := self._next()) is not None:
            patience = loop.call_later(PATIENCE_SECONDS, self._pass_on, slow)
            try:
                await self._fly(delivery)
            finally:
                patience.cancel()
                self._land(delivery.merchant_id)
            if slow.is_set():
                self._fill()  # its merchant may have waited for it
                return
        self._free += 1

    def _next(self) -> Delivery | None:
        """Take the first delivery of the merchant whose turn it is."""
        for merchant_id in self._lines:
            if self._room(merchant_id):
                break
        else:
            return None
        line = self._lines.pop(merchant_id)
        delivery = line.popleft()
        if line:
            self._lines[merchant_id] = line
        self.ready -= 1
        self._under_way[merchant_id] += 1
        return delivery

    def _room(self, merchant_id: str) -> int:
        return self._per_merchant - self._under_way[merchant_id]

    def _land(self, merchant_id: str) -> None:
        self.ready += len(self._lines.get(merchant_id, ())) > self._room(merchant_id)
        self._under_way[merchant_id] -= 1
        if not self._under_way[merchant_id]:
            del self._under_way[merchant_id]

    def _pass_on(self, slow: asyncio.Event) -> None:
        slow.set()
        self._free += 1
        self._fill()
