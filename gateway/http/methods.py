"""HEAD wherever there is GET, and `Allow` with all that a route can be asked (RFC 9110, 9.3).

Litestar knows a HEAD only where somebody wrote its handler. Here it is asked as GET, and no body
is sent; the request's own method stands beside it.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import Message, Send

METHOD = "gateway_method"
"""Key of the method that was asked in the ASGI scope: HEAD where the scope's own is GET."""


def asked(scope: Mapping[str, Any]) -> str:
    """Return the method that the client asked."""
    return str(scope.get(METHOD, scope["method"]))


def readable(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the scope in which HEAD is GET; the server, which frames the answer, keeps its own."""
    if scope["method"] != "HEAD":
        return scope
    return {**scope, "method": "GET", METHOD: "HEAD"}


def without_body(send: Send) -> Send:
    """Return a `send` for an answer to HEAD: it ends with its headers, whatever is still to come."""
    ended = False

    async def headers_only(message: Message) -> None:
        nonlocal ended
        if message["type"] != "http.response.body":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return headers_only


def with_every_method(
    scope: Mapping[str, Any], headers: Iterable[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Complete `Allow`: what answers OPTIONS knows but the first controller of a path."""
    return [
        (name, _every(scope, value) if name.lower() == b"allow" else value)
        for name, value in headers
    ]


def _every(scope: Mapping[str, Any], named: bytes) -> bytes:
    methods = set(named.decode().split(", "))
    if path := scope.get("path_template"):
        methods |= _by_path(scope["litestar_app"])[path]
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods)).encode()


@lru_cache(maxsize=1)
def _by_path(app: Litestar) -> dict[str, set[str]]:
    """Return, by path, every method that has a handler."""
    return {
        route.path_format: set(route.route_handler_map)
        for route in app.routes
        if isinstance(route, HTTPRoute)
    }
