"""How much of bare aiohttp's rate the whole webhook sender keeps, database and log included.

Bare is aiohttp's own client as it comes: a pool of connections that stay open, 32 requests at
once, and per request what no sender can do without: the Standard Webhooks signature of that body
and the answer read to its end. No database, no log, no retry, no guard: that one costs something
only where a connection is made. The sender delivers as many events of as many bytes to 50
endpoints of one merchant: leased, sent over the same client with the same number of slots, the
results written. Each runs in a process of its own, as in production, and has the machine for
itself while its turn lasts; the receiver is one process for both. The other tasks of the worker
have settled with the events before the clock starts: order of the feed, messages to people.

Between the two stands our own client without a database: the guard, the signature, the attempt
and the verdict on it, of deliveries that were made in memory. The goal, half of the same HTTP
client without a database, is meant of the harder one, bare aiohttp.

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
from gateway.webhooks.delivery import Delivery
from gateway.webhooks.dialling import open_session
from gateway.webhooks.guard import Guard
from gateway.webhooks.line import Line
from gateway.webhooks.outbox import DELIVERIES_CHANNEL
from gateway.webhooks.secrets import EndpointSecrets
from gateway.webhooks.signing import headers, key_of
from gateway.worker import now

DELIVERIES = 4000
ROUNDS = 5
SIZES = {"merchants": 1, "endpoints": 50, "hanging": 0}
BARE, UNRECORDED, SENDER = "bare aiohttp", "our client without a database", "webhook sender"
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
    body = b"x" * (BODY + DOCUMENT)
    key = key_of(EndpointSecrets(secrets.token_hex()).of("whe_0", 1))
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


async def unrecorded(url: str) -> int:
    """Post with our own client, without database or log; return deliveries per second."""
    body, left = b"x" * (BODY + DOCUMENT), iter(range(DELIVERIES))
    guard = Guard(allow_private=True)

    async def slot(line: Line) -> None:
        for number in left:
            tried = await line.send(_delivery(number, url, body), line.clock())
            assert tried.verdict.status == "succeeded"

    async with open_session(guard, timeout_seconds=15) as session:
        line = Line(session, guard, EndpointSecrets(secrets.token_hex()), now)
        begun = time.perf_counter()
        await asyncio.gather(*(slot(line) for _ in range(SLOTS)))
        return round(DELIVERIES / (time.perf_counter() - begun))


def _delivery(number: int, url: str, body: bytes) -> Delivery:
    name = f"inv_{number}"
    return Delivery(
        id=f"whd_{number}", endpoint_id=f"whe_{number % SIZES['endpoints']}", merchant_id="mer_0",
        url=url, secret_version=1, previous_signs=False, ed25519=False, event_id=f"evt_{number}",
        type="invoice.created", subject=name, sequence=1, livemode=False, attempts=0,
        leased_until=datetime.max.replace(tzinfo=UTC), passed=False, body=body,
    )  # fmt: skip


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


async def measured(stage: Stage) -> dict[str, list[int]]:
    """Run all in turns, once each to warm up; return their rates."""
    gc.freeze()  # as the worker's command does
    rates: dict[str, list[int]] = {BARE: [], UNRECORDED: [], SENDER: []}
    for number in range(ROUNDS + 1):
        rates[BARE].append(await bare(f"{stage.url}/hook"))
        rates[UNRECORDED].append(await unrecorded(f"{stage.url}/hook"))
        rates[SENDER].append(await ours(stage, number))
    return {name: each[1:] for name, each in rates.items()}


async def _run() -> dict[str, list[int]]:
    with receiving() as (url, answered), prepared() as settings:
        async with working(settings, url, answered, SIZES) as stage:
            return await measured(stage)


def main() -> int:
    """Measure and print."""
    rates = uvloop.run(_run())
    medians = {name: statistics.median(each) for name, each in rates.items()}
    for name, each in rates.items():
        ratio = medians[SENDER] / medians[name]
        print(f"{name:<31} {each} per second, the sender keeps {ratio:.2f}")
    print(f"medians of {DELIVERIES} deliveries, {SLOTS} slots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
