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
        watch = _Watch(self._pass_on)
        try:
            while (delivery := self._next()) is not None:
                watch.begin()
                try:
                    await self._fly(delivery)
                finally:
                    self._land(delivery.merchant_id)
                if watch.gave_up:
                    self._fill()  # its merchant may have waited for it
                    return
            self._free += 1
        finally:
            watch.end()

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

    def _pass_on(self) -> None:
        self._free += 1
        self._fill()


class _Watch:
    """Calls `slow` once, when one request took longer than our patience.

    One timer for many of them: it looks at when the present one began, and waits for the rest.
    """

    def __init__(self, slow: Callable[[], None]) -> None:
        self.gave_up = False
        self._slow = slow
        self._loop = asyncio.get_running_loop()
        self._begun = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Take the time of a request that begins now."""
        self._begun = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE_SECONDS, self._look)

    def end(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        left = self._begun + PATIENCE_SECONDS - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self.gave_up = True
        self._slow()
