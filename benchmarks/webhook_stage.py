"""Where webhooks are measured: a database, the worker and a receiver, each a process of its own."""

import asyncio
import multiprocessing
import os
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import TypeAlias, cast

import uvloop
from sqlalchemy import text

from gateway import garbage, logs, worker
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT, Database, notify
from gateway.postgres.cluster import running
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.postgres.url import role_url
from gateway.settings import Settings, WebhookSettings
from gateway.webhooks.outbox import DELIVERIES_CHANNEL

SLOTS = 32
BODY = 1500
"""Characters of an event's data; the document around it has 220 more."""
HANGING = b"POST /hangs"
Answered: TypeAlias = "Synchronized[int]"
"""How many requests the receiver has answered."""

_ENDPOINTS = text("""
WITH m AS (
    INSERT INTO merchant (id, name, created_at)
    SELECT 'mer_' || n, 'Shop', now() FROM generate_series(0, :merchants - 1) n RETURNING id)
INSERT INTO webhook_endpoint (id, merchant_id, url, api_version, livemode, created_at)
SELECT 'whe_' || n, 'mer_' || n % :merchants, :url || CASE WHEN n < :hanging THEN '/hangs' ELSE '/hook' END,
    '1', false, now()
FROM generate_series(0, :endpoints - 1) n WHERE EXISTS (SELECT 1 FROM m)
""")
# Of a type that no person is told of: only the sender has work with these.
_EVENTS = text("""
WITH e AS (
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    SELECT 'evt_' || :first + n, w.merchant_id, 'invoice.created', 'inv_' || :first + n, 1, false,
        '1', jsonb_build_object('object', repeat('x', :body)), now()
    FROM generate_series(0, :events - 1) n
    JOIN webhook_endpoint w ON w.id = 'whe_' || (:first + n) % :endpoints
    RETURNING id, merchant_id, subject, CAST(substr(id, 5) AS integer) AS n)
INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence,
                              next_attempt_at, created_at)
SELECT 'whd_' || n, merchant_id, 'whe_' || n % :endpoints, id, subject, 1,
    CASE WHEN :due THEN now() ELSE CAST('infinity' AS timestamptz) END, now()
FROM e
""")


class Sink(asyncio.Protocol):
    """The least that an HTTP receiver can do: count off requests of known length."""

    def __init__(self, answered: Answered) -> None:
        self._buffer = b""
        self._answered = answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request, but none to `/hangs`."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            if not self._buffer.startswith(HANGING):
                self._answered.value += 1
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            self._buffer = self._buffer[end + 4 + length :]


def _serve(report: Connection, answered: Answered) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Sink(answered), "127.0.0.1", 0)
        report.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


def _work(settings: Settings) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        garbage.settle()
        await worker.run(settings, stop)

    with Path(os.devnull).open("w") as null:
        logs.configure("info", stream=null)
        uvloop.run(run())


@dataclass(frozen=True)
class Stage:
    """Everything that runs, seen by the database's owner."""

    settings: Settings
    owner: Database
    url: str
    answered: Answered
    endpoints: int

    async def queue(self, first: int, events: int, *, due: bool) -> None:
        """Write events with one delivery each, over the endpoints in turn."""
        values = {"first": first, "events": events, "endpoints": self.endpoints, "body": BODY}
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(_EVENTS, {**values, "due": due})
            await notify(session, DELIVERIES_CHANNEL, "")


@contextmanager
def receiving() -> Iterator[tuple[str, Answered]]:
    """Run the receiver beside the block; yield its URL and how many requests it has answered."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    answered = context.Value("q", 0)
    receiver = context.Process(target=_serve, args=(there, answered), daemon=True)
    receiver.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}", answered
    finally:
        receiver.terminate()


@contextmanager
def prepared() -> Iterator[Settings]:
    """Run a database with a schema beside the block; yield the settings of its worker."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        settings = Settings(
            networks={},
            data_dir=Path(folder),
            webhooks=WebhookSettings(allow_private=True, concurrency=SLOTS),
        )
        create_secrets(settings, secrets.token_urlsafe)
        with running(settings):
            prepare_server(settings)
            migrate(settings)
            yield settings


@asynccontextmanager
async def working(
    settings: Settings, url: str, answered: Answered, sizes: Mapping[str, int]
) -> AsyncIterator[Stage]:
    """Register `sizes` of merchants, endpoints and hanging ones; run the worker beside the block."""
    owner = Database(role_url(settings, "admin"), pool_size=3)
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(settings,))
    try:
        async with owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(_ENDPOINTS, {**sizes, "url": url})
        process.start()
        yield Stage(settings, owner, url, answered, sizes["endpoints"])
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)
        await owner.aclose()
