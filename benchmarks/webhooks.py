"""How much of bare aiohttp's rate the whole webhook sender keeps, database and log included.

Bare is aiohttp's own client as it comes: a pool of connections that stay open, 32 requests at
once, and per request what no sender can do without: the Standard Webhooks signature of that body
and the answer read to its end. No database, no log, no retry, no guard: that one costs something
only where a connection is made. The sender delivers as many events of as many bytes to 50
endpoints of one merchant: leased, sent over the same client with the same number of slots, the
results written. Each runs in a process of its own, as in production, and has the machine for
itself while its turn lasts; the receiver is one process for both. The other tasks of the worker
have settled with the events before the clock starts: order of the feed, messages to people.

The ratio of the medians is what counts, not the rates. Run: `.venv/bin/python -m benchmarks.webhooks`.
"""

import asyncio
import gc
import secrets
import statistics
import sys
import time
from datetime import UTC, datetime

import aiohttp
import uvloop
from sqlalchemy import TextClause, text

from benchmarks.webhook_stage import BODY, SLOTS, Stage, prepared, receiving, working
from gateway.db import CROSS_TENANT, notify
from gateway.webhooks.outbox import DELIVERIES_CHANNEL
from gateway.webhooks.signing import headers

DELIVERIES = 4000
ROUNDS = 5
SIZES = {"merchants": 1, "endpoints": 50, "hanging": 0}
DOCUMENT = 220
"""Characters of an event's document beside its data."""

_UNPLACED = text("SELECT EXISTS (SELECT 1 FROM event WHERE feed IS NULL)")
_RELEASE = text(
    "UPDATE webhook_delivery SET next_attempt_at = now() WHERE status = 'scheduled'"
)
_LEFT = text(
    "SELECT EXISTS (SELECT 1 FROM webhook_delivery WHERE status IN ('scheduled', 'retrying'))"
)


async def bare(url: str) -> int:
    """Post without database, guard or log; return deliveries per second."""
    body, key = b"x" * (BODY + DOCUMENT), secrets.token_bytes(32)
    left = iter(range(DELIVERIES))

    async def slot(session: aiohttp.ClientSession) -> None:
        for number in left:
            signature = headers([key], f"evt_{number}", datetime.now(UTC), body)
            async with session.post(url, data=body, headers=signature) as response:
                await response.read()
                assert response.status == 200

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(slot(session) for _ in range(SLOTS)))
        return round(DELIVERIES / (time.perf_counter() - begun))


async def ours(stage: Stage, number: int) -> int:
    """Release a round of deliveries to the worker; return deliveries per second, results written."""
    await stage.queue(number * DELIVERIES, DELIVERIES, due=False)
    await until_not(stage, _UNPLACED, 0.2)
    before = stage.answered.value
    async with stage.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(_RELEASE)
        await notify(session, DELIVERIES_CHANNEL, "")
    begun = time.perf_counter()
    # Looking costs the database nothing.
    while stage.answered.value - before < DELIVERIES:  # noqa: ASYNC110 - another process counts
        await asyncio.sleep(0.005)
    await until_not(stage, _LEFT, 0.005)
    return round(DELIVERIES / (time.perf_counter() - begun))


async def until_not(stage: Stage, question: TextClause, seconds: float) -> None:
    """Ask the database now and then until it says no."""
    async with stage.owner.engine.connect() as connection:
        while await connection.scalar(question):  # noqa: ASYNC110 - the worker knows nothing of us
            await asyncio.sleep(seconds)


async def measured(stage: Stage) -> tuple[list[int], list[int]]:
    """Run both in turns, once each to warm up; return their rates."""
    gc.freeze()  # as the worker's command does
    limits, rates = [], []
    for number in range(ROUNDS + 1):
        limits.append(await bare(f"{stage.url}/hook"))
        rates.append(await ours(stage, number))
    return limits[1:], rates[1:]


async def _run() -> tuple[list[int], list[int]]:
    with receiving() as (url, answered), prepared() as settings:
        async with working(settings, url, answered, SIZES) as stage:
            return await measured(stage)


def main() -> int:
    """Measure and print."""
    limits, rates = uvloop.run(_run())
    limit, rate = statistics.median(limits), statistics.median(rates)
    print(f"bare aiohttp   {limits} per second")
    print(f"webhook sender {rates} per second")
    print(f"ratio of medians {rate / limit:.2f} ({DELIVERIES} deliveries, {SLOTS} slots)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
