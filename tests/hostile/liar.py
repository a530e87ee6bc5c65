"""A node that answers as it likes: every call goes to the real one, and `twist` rewrites it.

`asked` counts the methods, so that a test can show what was never asked for.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from tests.chaos.proxy import HOST, MIB

Twist = Callable[[str, Any, Any], Any]
"""(method, params, honest result) -> what is answered. Tron: the path's last part, the body."""


def honest(_method: str, _params: Any, result: Any) -> Any:
    """Answer as the real node does."""
    return result


@dataclass
class Liar:
    """A running proxy; exchange `twist` at any time."""

    upstream: str
    session: aiohttp.ClientSession
    url: str = ""
    twist: Twist = honest
    asked: Counter[str] = field(default_factory=Counter)
    swallowed: dict[str, Any] = field(default_factory=dict)
    """Results of methods that the real node never hears of."""

    async def handle(self, request: web.Request) -> web.Response:
        """Ask the real node, and rewrite what it says."""
        body = await request.read()
        question = msgspec.json.decode(body) if body else {}
        if (answer := self._swallow(request.path, question)) is not None:
            return web.json_response(answer)
        async with self.session.post(self.upstream + request.path, data=body) as reply:
            answer = await reply.json(content_type=None)
        if isinstance(question, list):
            methods = {each["id"]: each for each in question}
            twisted: Any = [self._rpc(methods[each["id"]], each) for each in answer]
        elif isinstance(question, dict) and "method" in question:
            twisted = self._rpc(question, answer)
        else:
            twisted = self._twisted(request.path.rsplit("/", 1)[-1], question, answer)
        return web.json_response(twisted)

    def _swallow(self, path: str, question: Any) -> Any | None:
        """Return an answer without asking anybody, where that is wanted."""
        method = question.get("method") if isinstance(question, dict) else None
        name = method or path.rsplit("/", 1)[-1]
        if name not in self.swallowed:
            return None
        self.asked[name] += 1
        result = self.swallowed[name]
        return result if method is None else {"id": question["id"], "result": result}

    def _rpc(self, question: Any, answer: Any) -> Any:
        result = self._twisted(question["method"], question.get("params"), answer.get("result"))
        return answer if result == answer.get("result") else {**answer, "result": result}

    def _twisted(self, method: str, params: Any, result: Any) -> Any:
        self.asked[method] += 1
        return self.twist(method, params, result)


@asynccontextmanager
async def lying(upstream: str) -> AsyncIterator[Liar]:
    """Serve a node in front of `upstream` that is honest until it is given another `twist`."""
    timeout = aiohttp.ClientTimeout(total=30)
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        liar = Liar(upstream.rstrip("/"), session)
        app = web.Application(client_max_size=64 * MIB)
        app.router.add_post("/{path:.*}", liar.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            liar.url = f"http://{HOST}:{runner.addresses[0][1]}"
            yield liar
        finally:
            await runner.cleanup()
