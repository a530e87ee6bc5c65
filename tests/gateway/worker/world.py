"""A merchant with endpoints in a real database, real receivers on 127.0.0.1, a clock to turn."""

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web
from sqlalchemy import insert, select, text
from standardwebhooks import Webhook

from gateway import worker
from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import Merchant, WebhookDelivery, WebhookEndpoint
from gateway.settings import Settings
from gateway.webhooks.outbox import emit
from gateway.webhooks.secrets import EndpointSecrets
from tests.conftest import FreshDatabase

MERCHANT = "mer_1"
PATIENCE_SECONDS = 30.0


@dataclass
class Clock:
    """Real time, put forward by hand."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> Moment:
        """Return the shifted moment."""
        return Moment(datetime.now(UTC) + self.ahead, secrets.token_bytes)

    def put_forward(self, **amount: float) -> None:
        """Move on by a timedelta in words."""
        self.ahead += timedelta(**amount)


@dataclass
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        """Return the id that stays the same over retries."""
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        """Return the parsed body."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    def verify(self, secret: str) -> None:
        """Let the reference library judge signature and timestamp."""
        Webhook(secret).verify(self.body, self.headers)


Answering = Callable[[Received], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """A shop: answers 200, or whatever `answer` says."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answer: Answering | None = None
    peak: int = 0
    _open: int = 0

    def answers(self, *statuses: int) -> None:
        """Answer with these statuses in turn, then with the last of them for good."""
        script = itertools.chain(statuses, itertools.repeat(statuses[-1]))

        async def scripted(_received: Received) -> web.Response:
            return web.Response(status=next(script))

        self.answer = scripted

    def ids(self) -> list[str]:
        """Return the event ids in the order of arrival."""
        return [each.event_id for each in self.requests]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Note the request, then answer."""
        received = Received(request.path, dict(request.headers), await request.read())
        received.headers = {name.lower(): text for name, text in received.headers.items()}
        self.requests.append(received)
        self._open += 1
        self.peak = max(self.peak, self._open)
        try:
            return await self.answer(received) if self.answer else web.Response(text="ok")
        finally:
            self._open -= 1


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve on a free port of 127.0.0.1."""
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class World:
    """The database as its owner sees it, and how the worker is set up."""

    settings: Settings
    owner: Database
    clock: Clock

    async def endpoint(
        self,
        url: str,
        *,
        id_: str = "whe_1",
        version: int = 1,
        merchant: str = MERCHANT,
        overlap: timedelta | None = None,
        ed25519: bool = False,
    ) -> None:
        """Register an endpoint for every event; for `overlap` its previous secret signs too."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(WebhookEndpoint).values(
                    id=id_,
                    merchant_id=merchant,
                    url=url,
                    events=["*"],
                    livemode=False,
                    secret_version=version,
                    previous_until=None if overlap is None else self.clock().at + overlap,
                    ed25519=ed25519,
                    api_version="2026-11-20",
                    status="enabled",
                    exhausted_in_a_row=0,
                    created_at=self.clock().at,
                )
            )

    async def emit(self, *subjects: str, data: dict[str, Any] | None = None) -> list[str]:
        """Emit one event per subject, each in a transaction of its own; return their ids."""
        ids = []
        for subject in subjects:
            async with self.owner.unit_of_work(CROSS_TENANT) as session:
                event_id = await emit(
                    session, self.clock(), type_="invoice.settled", merchant_id=MERCHANT,
                    livemode=False, subject=subject, data=data or {"object": {"id": subject}},
                )  # fmt: skip
            ids.append(event_id)
        return ids

    def secret(self, endpoint_id: str = "whe_1", version: int = 1) -> str:
        """Return the secret that the merchant holds."""
        master = self.settings.secret("webhooks.master_secret_file")
        return EndpointSecrets(master).of(endpoint_id, version)

    async def deliveries(self) -> list[WebhookDelivery]:
        """Return every delivery in the order of its making."""
        query = select(WebhookDelivery).order_by(WebhookDelivery.created_at, WebhookDelivery.id)
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return list(await session.scalars(query))

    async def statuses(self) -> list[str]:
        """Return the state of every delivery."""
        return [row.status for row in await self.deliveries()]

    async def endpoint_row(self, id_: str = "whe_1") -> WebhookEndpoint:
        """Return an endpoint as it stands."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(WebhookEndpoint, id_)

    async def execute(self, statement: str, **values: Any) -> None:
        """Change something behind everybody's back."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text(statement), values)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run the whole worker beside the block, as gw_worker; stop it cleanly."""
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(self.settings, stop, self.clock))
        try:
            yield
        finally:
            stop.set()
            await running

    @asynccontextmanager
    async def killed(self) -> AsyncIterator[None]:
        """Run the worker and end it in the middle of whatever it does."""
        running = asyncio.create_task(worker.run(self.settings, asyncio.Event(), self.clock))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])


@asynccontextmanager
async def world(database: FreshDatabase, **webhooks: Any) -> AsyncIterator[World]:
    """Open a merchant's world; `webhooks` override the sender's settings."""
    chosen: dict[str, Any] = {
        "allow_private": True, "poll_milliseconds": 20, "timeout_seconds": 2, **webhooks,
    }  # fmt: skip
    section = msgspec.structs.replace(database.settings.webhooks, **chosen)
    settings = msgspec.structs.replace(database.settings, webhooks=section)
    owner = Database(database.url("admin"), pool_size=4)
    clock = Clock()
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(Merchant).values(
                id=MERCHANT,
                name="Shop",
                status="active",
                invoice_expiry_minutes=60,
                monitoring_days=7,
                tolerance_basis_points=50,
                created_at=clock().at,
            )
        )
    try:
        yield World(settings, owner, clock)
    finally:
        await owner.aclose()


async def eventually(condition: Callable[[], Any], what: str = "") -> None:
    """Wait until the condition (plain or async) holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            result = condition()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.01)
    raise AssertionError(what)


def all_are(world_: World, status: str) -> Callable[[], Awaitable[bool]]:
    """Return a condition: every delivery has this state."""

    async def check() -> bool:
        statuses: Sequence[str] = await world_.statuses()
        return bool(statuses) and set(statuses) == {status}

    return check


async def ended(w: World) -> bool:
    """Tell whether nothing waits any more."""
    return not {"scheduled", "retrying"} & set(await w.statuses())
