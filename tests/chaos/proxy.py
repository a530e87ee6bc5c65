"""A bad node in front of a good one: every call goes through, some come back bent.

`async with chaos(chain.url, seed=7, rate=0.2) as proxy` gives `proxy.url` and, afterwards,
`proxy.counts`. Two proxies in front of one chain are two providers of one network.
"""

import asyncio
import random
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from tests.chaos.edits import Edit, Loot, emptied, lie, partial, readdressed
from tests.chaos.faults import HONEST, Call, Fault, Plan, described, seeded

HOST = "127.0.0.1"
REMEMBERED_QUESTIONS = 64
REMEMBERED_ANSWERS = 8
PAGE = b"<!doctype html><title>Just a moment...</title><h1>Bad gateway</h1>"
MIB = 1024 * 1024


@dataclass(slots=True)
class Chaos:
    """A running proxy. `plan` may be exchanged while it runs; `calls` counts every request.

    `counts` holds the faults that were really done: one that does not fit its call is no fault.
    """

    upstream: str
    plan: Plan
    seed: int
    session: aiohttp.ClientSession
    fork: str = ""
    loot: Loot = field(default_factory=Loot)
    edits: Mapping[str, Edit] = field(default_factory=dict)
    delay_s: float = 0.05
    retry_after_s: int = 1
    url: str = ""
    calls: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    counts: Counter[Fault] = field(default_factory=Counter)
    _past: OrderedDict[str, deque[Any]] = field(default_factory=OrderedDict)

    @property
    def faulted(self) -> int:
        """Return how many calls were bent."""
        return self.counts.total()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, by the plan."""
        body = await request.read()
        call = described(self.calls, request.path, msgspec.json.decode(body))
        self.calls += 1
        self.methods[call.method] += 1
        fault = self.plan(call)
        dice = random.Random(f"{self.seed}/{call.number}/how")
        early = await self._before(request, fault, dice)
        if early is not None:
            return early
        forked = fault is Fault.FORKED and bool(self.fork)
        status, content = await self._asked(self.fork if forked else self.upstream, call, body)
        if forked:
            self.counts[Fault.FORKED] += 1
        if fault is Fault.HALF_BODY and len(content) > 1:
            return await self._half(request, content)
        return web.Response(
            status=status,
            body=self._bent(call, content, fault, dice),
            content_type="application/json",
        )

    async def _before(
        self, request: web.Request, fault: Fault | None, dice: random.Random
    ) -> web.Response | None:
        """Do what needs no answer of the node."""
        answer = None
        match fault:
            case Fault.DELAY:
                await asyncio.sleep(self.delay_s * dice.random() * 2)
            case Fault.RESET:
                assert request.transport is not None
                request.transport.abort()
                answer = web.Response()
            case Fault.HTML:
                answer = web.Response(body=PAGE, content_type="text/html")
            case Fault.THROTTLED:
                answer = web.Response(status=429)
            case Fault.THROTTLED_FOR:
                answer = web.Response(
                    status=429, headers={"retry-after": str(self.retry_after_s)}
                )
            case _:
                return None
        self.counts[fault] += 1
        return answer

    async def _asked(self, node: str, call: Call, body: bytes) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"}
        async with self.session.post(node + call.path, data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def _half(self, request: web.Request, content: bytes) -> web.StreamResponse:
        self.counts[Fault.HALF_BODY] += 1
        response = web.StreamResponse(headers={"content-length": str(len(content))})
        response.content_type = "application/json"
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        assert request.transport is not None
        request.transport.close()
        return response

    def _bent(
        self, call: Call, content: bytes, fault: Fault | None, dice: random.Random
    ) -> bytes:
        """Return the body to send, and remember the honest one."""
        if fault is Fault.WRONG_JSON:
            self.counts[fault] += 1
            return content[: max(1, len(content) - 1 - dice.randrange(9))] + b"\x00"
        honest = msgspec.json.decode(content)
        bent = self._edited(call, honest, fault, dice)
        self._remember(call, honest)
        if bent is None or bent == honest:
            return content
        assert fault is not None
        self.counts[fault] += 1
        return msgspec.json.encode(bent)

    def _edited(
        self, call: Call, honest: Any, fault: Fault | None, dice: random.Random
    ) -> Any | None:
        bent: Any | None = None
        match fault:
            case Fault.EMPTY:
                bent = emptied(call, honest)
            case Fault.LIE:
                bent = lie(call, honest, self.loot, dice)
            case Fault.EDITED:
                bent = self.edits.get(call.method, _unedited)(call, honest)
            case Fault.PARTIAL_BATCH:
                bent = partial(honest, dice)
            case Fault.STALE:
                past = self._past.get(call.question)
                bent = readdressed(call, past[0]) if past else None
            case Fault.SWAPPED:
                bent = self._swapped(call, dice)
        return bent

    def _swapped(self, call: Call, dice: random.Random) -> Any | None:
        """Return what belongs to another call, under its own id or under that of this one."""
        others = [
            past[-1] for question, past in self._past.items() if question != call.question
        ]
        if not others or call.method == "batch":
            return None
        other = dice.choice(others)
        return other if dice.random() < 0.5 else readdressed(call, other)

    def _remember(self, call: Call, honest: Any) -> None:
        past = self._past.setdefault(call.question, deque(maxlen=REMEMBERED_ANSWERS))
        past.append(honest)
        self._past.move_to_end(call.question)
        if len(self._past) > REMEMBERED_QUESTIONS:
            self._past.popitem(last=False)


def _unedited(_call: Call, _answer: Any) -> None:
    """Leave an answer as it is."""


@asynccontextmanager
async def chaos(
    upstream: str,
    *,
    seed: int = 0,
    rate: float = 0.0,
    faults: Collection[Fault] = HONEST,
    plan: Plan | None = None,
    **options: Any,
) -> AsyncIterator[Chaos]:
    """Serve a bad node over `upstream`; `plan` replaces what seed, rate and faults would do.

    `options` are fields of `Chaos`: `fork` is the URL of another chain's node for forked heads,
    `loot` whom lies enrich, `edits` what a test does to the answers of a method, `delay_s` the mean delay, `retry_after_s` what 429 asks for.
    """
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        proxy = Chaos(
            upstream.rstrip("/"), plan or seeded(seed, rate, faults), seed, session, **options
        )
        app = web.Application(client_max_size=64 * MIB)
        app.router.add_post("/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            proxy.url = f"http://{HOST}:{runner.addresses[0][1]}"
            yield proxy
        finally:
            await runner.cleanup()
