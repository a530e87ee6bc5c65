"""What every request is wrapped in: an id, common headers, one log line, two metrics.

It stands outside Litestar, because unknown routes and methods never reach Litestar's middleware.
"""

import time
from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import Any, cast

import msgspec
import structlog
from litestar.datastructures import State
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.domain.actor import Actor, Budget
from gateway.http.errors import BUDGET, CALLER, PROBLEM_JSON, REQUEST_ID, problem
from gateway.http.methods import asked, readable, with_every_method, without_body
from gateway.http.wiring import PARTS
from gateway.measured import ORIGIN

Counted = Callable[[Actor | None, tuple[str, str], int, float, datetime], None]
"""Take note of an answer: whose request, (method, route), status, seconds, when it began."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_LEFT = 499


class Metrics:
    """Requests by method, route and status, and how long they took."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "gateway_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "gateway_http_request_seconds",
            "Time from the first byte of the request to the last of the answer.",
            ["route"],
            registry=self.registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; an invented method must not make a new series."""
        if method not in _METHODS:
            method = "OTHER"
        found = self._series.get((method, route, status))
        if found is None:
            found = self._requests.labels(method, route, status), self._seconds.labels(route)
            self._series[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)


class Envelope:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, parts: State, *, usage: Counted, version: str) -> None:
        self._app = app
        self._parts = parts
        self._usage = usage
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its id bound to every log line below it."""
        # ASGI allows keys of one's own, which Litestar's types do not.
        state = cast("MutableMapping[str, Any]", scope)
        if state["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = readable(state)
        state[PARTS] = self._parts
        moment = self._parts.clock()
        request_id = moment.id("req")
        state[REQUEST_ID] = request_id
        ORIGIN.set(lambda: _route(state))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        status = _CLIENT_LEFT

        if asked(state) == "HEAD":
            send = without_body(send)

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])  # of a page it is a word of `HTTPStatus`
                message["headers"] = [
                    *with_every_method(state, message["headers"]),
                    *self._headers(request_id, message),
                    *_budget(state.get(BUDGET)),
                ]
            await send(message)

        try:
            if _has_nul(state):
                await _refuse(state, marked)
            else:
                await self._app(cast("Scope", state), receive, marked)
        finally:
            self._record(state, status, time.perf_counter() - began, moment.at)

    def _headers(self, request_id: str, message: Any) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"x-request-id", request_id.encode()),
            (b"gateway-version", self._version.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        if all(name.lower() != b"cache-control" for name, _ in message["headers"]):
            headers.append((b"cache-control", b"no-store"))
        return headers

    def _record(
        self, scope: MutableMapping[str, Any], status: int, seconds: float, at: datetime
    ) -> None:
        route, method = _route(scope), asked(scope)
        self._parts.metrics.count(method, route, status, seconds)
        self._usage(scope.get(CALLER), (method, route), status, seconds, at)
        structlog.get_logger().info(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
        )


def _route(scope: MutableMapping[str, Any]) -> str:
    return scope.get("path_template") or "unmatched"


def _budget(budget: Budget | None) -> list[tuple[bytes, bytes]]:
    """Tell what a key may still ask (draft-ietf-httpapi-ratelimit-headers-10)."""
    if budget is None:
        return []
    left = max(0, budget.left)
    return [
        (b"ratelimit-policy", b'"default";q=%d;w=60' % budget.quota),
        (b"ratelimit", b'"default";r=%d;t=%d' % (left, budget.resets_in)),
    ]


def _has_nul(scope: MutableMapping[str, Any]) -> bool:
    """Tell whether an address carries U+0000, which no text of PostgreSQL can hold."""
    return "\x00" in scope["path"] or b"%00" in scope["query_string"]


async def _refuse(scope: MutableMapping[str, Any], send: Send) -> None:
    document = problem(scope, 400, "malformed_request", "an address cannot contain U+0000")
    headers = [(b"content-type", PROBLEM_JSON.encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send(
        {
            "type": "http.response.body",
            "body": msgspec.json.encode(document),
            "more_body": False,
        }
    )
