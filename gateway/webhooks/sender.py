"""The webhook sender: lease, send many at once, settle in batches.

The rounds here are called by the worker's loops. Bounds that keep one merchant from delaying
the others: so many in flight per endpoint (two, until it has answered), and a request that
takes longer than a moment gives its slot to the next one and goes on outside of them.
"""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import structlog

from gateway.db import CROSS_TENANT, Database
from gateway.settings import WebhookSettings
from gateway.webhooks import crowds, leases, results
from gateway.webhooks.breaker import Breakers
from gateway.webhooks.delivery import Delivery, Tried
from gateway.webhooks.leases import Shares
from gateway.webhooks.line import Line
from gateway.webhooks.slots import Slots

PER_ENDPOINT_MAX = 16
UNPROVEN_MAX = 2
"""In flight to an endpoint that has not answered its last request, or none of ours yet."""
ANSWERING_MAX = 1024
"""Endpoints remembered as answering; the one whose answer is oldest is forgotten first."""
IN_FLIGHT_FACTOR = 16
"""In flight or unsettled in all, slow ones included, as a multiple of `concurrency`."""
LOW_WATER_FACTOR = 3
"""More are leased while fewer than this many times `concurrency` could use a slot."""
GATHERING_SECONDS = 0.02
"""Results that come within this time of the first are written with it."""
SETTLING = timedelta(seconds=10)
"""What a lease leaves for waiting and for writing the result, beside the request itself."""


class Sender:
    """Holds what is in flight in this process; everything that must last is in the database.

    `wake` is set when something may be due, `landed` when there are results to settle,
    `unwanted` when an endpoint was disabled, `idle` while nothing is in flight or unsettled.
    """

    def __init__(
        self,
        database: Database,
        settings: WebhookSettings,
        line: Line,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._database = database
        self._line = line
        self._concurrency = settings.concurrency
        self._in_flight_max = settings.concurrency * IN_FLIGHT_FACTOR
        self._low_water = settings.concurrency * LOW_WATER_FACTOR
        self._timeout = timedelta(seconds=settings.timeout_seconds)
        self._slots = Slots(
            settings.concurrency, self._fly, tasks, per_merchant=settings.per_merchant
        )
        self._in_flight: Counter[str] = Counter()
        # Some wait here while others of theirs are under way: a lease takes its time.
        self._per_merchant = settings.per_merchant + 2 * self._low_water
        self._by_merchant: Counter[str] = Counter()
        self._breakers = Breakers()
        self._answering: dict[str, None] = {}
        self._tried: list[Tried] = []
        self._unsettled: list[Tried] = []
        self._log = structlog.get_logger().bind()
        self.wake = asyncio.Event()
        self.landed = asyncio.Event()
        self.unwanted = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    async def lease_round(self) -> bool:
        """Lease what is due and start sending it; tell whether it was so much that there is more.

        What shares and the order of a subject held back comes after `wake`, when others landed.
        """
        free = self._free()
        if free <= 0 or self._slots.ready >= self._low_water:
            return False
        moment = self._line.clock()
        deliveries = await leases.lease(
            self._database,
            moment,
            until=moment.at + self._timeout + SETTLING,
            wanted=_half(free),
            shares=self._shares(moment.at, free),
        )
        for delivery in deliveries:
            self._in_flight[delivery.endpoint_id] += 1
            self._by_merchant[delivery.merchant_id] += 1
            self.idle.clear()
        self._slots.add(deliveries)
        return len(deliveries) >= self._concurrency

    async def settle_round(self) -> bool:
        """Write every result there is in one transaction; tell whether there was any."""
        if not self._tried and not self._unsettled:
            return False
        if self._in_flight:  # they may land with these
            await asyncio.sleep(GATHERING_SECONDS)
        self._log_tried()
        disabled = await results.settle(self._database, self._unsettled, self._line.clock())
        self._unsettled = []
        for endpoint_id in disabled:
            self._log.warning("webhook endpoint disabled", endpoint_id=endpoint_id)
            self.unwanted.set()
        self._note_idle()
        self.wake.set()  # what waited behind these in the order of a subject
        return True

    async def skip_round(self) -> bool:
        """End what is due at disabled endpoints; tell whether there may be more."""
        async with self._database.unit_of_work(CROSS_TENANT) as session:
            skipped = await leases.skip_unwanted(session, self._line.clock())
        return skipped == leases.SKIP_BATCH

    async def crowd_round(self) -> bool:
        """Put off what stands in the way at crowded endpoints; tell whether there may be more."""
        async with self._database.unit_of_work(CROSS_TENANT) as session:
            moved = await crowds.put_off(session, self._line.clock())
        if moved:
            self.wake.set()
        return moved >= crowds.BATCH

    def forgive(self, endpoint_id: str) -> None:
        """Ask an endpoint again that was repaired, as if it had never failed."""
        self._breakers.forget(endpoint_id)

    def _free(self) -> int:
        """Count what may be leased; what was sent and is not written yet would be sent again."""
        unsettled = len(self._unsettled) + len(self._tried)
        return self._in_flight_max - self._in_flight.total() - unsettled

    def _shares(self, at: datetime, free: int) -> Shares:
        """Say how many more each may take that is busy, known to answer, or known not to.

        No merchant may have more than is left free: however many are slow, each new one of them
        takes from the others' shares, and there is always room for one more.
        """
        allowed = dict.fromkeys(self._in_flight, UNPROVEN_MAX)
        allowed |= dict.fromkeys(self._answering, PER_ENDPOINT_MAX)
        allowed |= self._breakers.rooms(at)
        per_merchant = min(self._per_merchant, free)
        return Shares(
            each=UNPROVEN_MAX,
            rooms={key: most - self._in_flight[key] for key, most in allowed.items()},
            per_merchant=per_merchant,
            merchant_rooms={
                key: per_merchant - busy for key, busy in self._by_merchant.items()
            },
        )

    async def _fly(self, delivery: Delivery) -> None:
        if self._slots.ready == self._low_water - 1:
            self.wake.set()
        self._land(delivery, await self._send(delivery))

    def _land(self, delivery: Delivery, tried: Tried | None) -> None:
        for counter, key in (
            (self._in_flight, delivery.endpoint_id),
            (self._by_merchant, delivery.merchant_id),
        ):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]
        if tried is not None:
            self._tried.append(tried)
            self.landed.set()
        self._note_idle()

    async def _send(self, delivery: Delivery) -> Tried | None:
        moment = self._line.clock()
        if moment.at + self._timeout > delivery.leased_until:
            self._log.warning("webhook lease too old", delivery_id=delivery.id)
            return None
        tried = await self._line.send(delivery, moment)
        self._note_answer(tried)
        return tried

    def _note_answer(self, tried: Tried) -> None:
        endpoint_id = tried.delivery.endpoint_id
        rest = self._breakers.note(endpoint_id, tried.answer, tried.at)
        if rest is not None:
            seconds = int(rest.total_seconds())
            self._log.warning(
                "webhook endpoint rests", endpoint_id=endpoint_id, seconds=seconds
            )
        self._answering.pop(endpoint_id, None)
        if tried.answer.status is not None:
            self._answering[endpoint_id] = None
            if len(self._answering) > ANSWERING_MAX:
                del self._answering[next(iter(self._answering))]

    def _note_idle(self) -> None:
        if not self._in_flight and not self._tried and not self._unsettled:
            self.idle.set()

    def _log_tried(self) -> None:
        """Write a line for each attempt, once, whatever becomes of writing their results."""
        landed, self._tried = self._tried, []
        self._unsettled += landed
        if landed:
            self._log.info("webhook", each=[_line_of(tried) for tried in landed])


def _half(free: int) -> int:
    """Return how much of it one lease may take: merchants who come together leave some, too."""
    return (free + 1) // 2


def _line_of(tried: Tried) -> dict[str, Any]:
    delivery, answer = tried.delivery, tried.answer
    trouble = {} if answer.error is None else {"error": answer.error}
    return {
        "event_id": delivery.event_id,
        "endpoint_id": delivery.endpoint_id,
        "type": delivery.type,
        "attempt": delivery.attempts + 1,
        "outcome": tried.verdict.status,
        "status": answer.status,
        "ms": answer.milliseconds,
        **trouble,
    }
