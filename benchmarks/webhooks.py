"""How much of bare aiohttp's rate the whole webhook sender keeps, database and log included.

Both post the same signed bodies to one receiver process, in turns, and both with 32 slots; the
ratio of the medians is what counts, not the rates. Run: `.venv/bin/python -m benchmarks.webhooks`.
"""

import asyncio
import multiprocessing
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import aiohttp
import uvloop
from sqlalchemy import text

from gateway import logs, worker
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT, Database, notify
from gateway.postgres.cluster import running
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.postgres.url import role_url
from gateway.settings import Settings, WebhookSettings
from gateway.webhooks.outbox import DELIVERIES_CHANNEL
from gateway.webhooks.signing import headers

DELIVERIES = 2000
ENDPOINTS = 50
ROUNDS = 3
SLOTS = 32
BODY = 1500

_ENDPOINTS = text("""
WITH m AS (INSERT INTO merchant (id, name, created_at) VALUES ('mer_1', 'Shop', now()) RETURNING id)
INSERT INTO webhook_endpoint (id, merchant_id, url, api_version, livemode, created_at)
SELECT 'whe_' || n, m.id, :url, '1', false, now() FROM m, generate_series(1, :endpoints) n
""")
_EVENTS = text("""
WITH e AS (
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    SELECT 'evt_' || :round || '_' || n, 'mer_1', 'invoice.settled',
           'inv_' || :round || '_' || n, 1, false, '1',
           jsonb_build_object('object', repeat('x', :body)), now()
    FROM generate_series(1, :deliveries) n RETURNING id, subject)
INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence,
                              next_attempt_at, created_at)
SELECT 'whd_' || id, 'mer_1', 'whe_' || 1 + row_number() OVER () % :endpoints, id, subject, 1,
       'infinity', now() FROM e
""")
_RELEASE = text(
    "UPDATE webhook_delivery SET next_attempt_at = now() WHERE status = 'scheduled'"
)
_LEFT = text("SELECT count(*) FROM webhook_delivery WHERE status IN ('scheduled', 'retrying')")


class Sink(asyncio.Protocol):
    """The least that an HTTP receiver can do: count off requests of known length."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def serve(report: Connection) -> None:
    """Be the receiver's process; report the port."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        report.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def bare(url: str) -> int:
    """Post without database, guard or log; return deliveries per second."""
    body, key = b"x" * (BODY + 200), secrets.token_bytes(32)
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


async def ours(owner: Database, number: int) -> int:
    """Release a round of deliveries to the running worker; return deliveries per second."""
    sizes = {
        "round": str(number),
        "deliveries": DELIVERIES,
        "endpoints": ENDPOINTS,
        "body": BODY,
    }
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(_EVENTS, sizes)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(_RELEASE)
        await notify(session, DELIVERIES_CHANNEL, "")
    begun = time.perf_counter()
    # One long transaction of cheap looks: the watching must not cost what is watched.
    async with owner.engine.connect() as connection:
        while await connection.scalar(_LEFT):  # noqa: ASYNC110 - the worker knows nothing of us
            await asyncio.sleep(0.05)
    return round(DELIVERIES / (time.perf_counter() - begun))


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """Run the worker beside the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def measure(settings: Settings, url: str) -> tuple[list[int], list[int]]:
    """Run both in turns; return their rates."""
    owner = Database(role_url(settings, "admin"), pool_size=2)
    limits, rates = [], []
    try:
        async with owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(_ENDPOINTS, {"url": url, "endpoints": ENDPOINTS})
        async with working(settings):
            for number in range(ROUNDS):
                limits.append(await bare(url))
                rates.append(await ours(owner, number))
    finally:
        await owner.aclose()
    return limits, rates


def main() -> int:
    """Start receiver and database, measure, print."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    receiver = context.Process(target=serve, args=(there,), daemon=True)
    receiver.start()
    url = f"http://127.0.0.1:{here.recv()}/hook"
    with (
        tempfile.TemporaryDirectory(prefix="gw-") as folder,
        Path(os.devnull).open("w") as null,
    ):
        settings = Settings(
            networks={},
            data_dir=Path(folder),
            webhooks=WebhookSettings(allow_private=True, concurrency=SLOTS),
        )
        create_secrets(settings, secrets.token_urlsafe)
        logs.configure("info", stream=null)
        with running(settings):
            prepare_server(settings)
            migrate(settings)
            limits, rates = uvloop.run(measure(settings, url))
    receiver.terminate()
    limit, rate = statistics.median(limits), statistics.median(rates)
    print(f"bare aiohttp   {limits} per second")
    print(f"webhook sender {rates} per second")
    print(f"ratio of medians {rate / limit:.2f} ({DELIVERIES} deliveries, {SLOTS} slots)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
