"""Who is calling, and may they: `requires("invoices:write")` as a route's guard.

A route without a guard is public; it gets no actor and so no tenant's data.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, cast

import structlog
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway.domain.actor import Actor, Budget, may_come_from
from gateway.domain.errors import Forbidden, TooMany, Unauthenticated
from gateway.http.errors import BUDGET, REQUEST_ID

Identify = Callable[[str], Awaitable[Actor | None]]
"""From the presented secret to the actor, or None if no such key is in force."""

_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class requires:  # noqa: N801 - reads as a word in the decorator
    """Let pass a known key with this scope from an address that the key allows.

    Without a scope any key will do.
    """

    scope: str | None = None

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
    ) -> None:
        """Put the actor into the connection, or refuse with 401 or 403."""
        actor = await _identified(connection)
        structlog.contextvars.bind_contextvars(key_id=actor.key_id, merchant=actor.merchant_id)
        if not may_come_from(actor.address, actor.allowed_ips):
            raise Forbidden("this key may not be used from here", code="ip_not_allowed")
        if self.scope is not None and self.scope not in actor.scopes:
            raise Forbidden(f"this key lacks the scope {self.scope}")
        connection.scope["user"] = actor


async def _identified(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
    scheme, _, secret = connection.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != _SCHEME or not secret:
        raise Unauthenticated("send `Authorization: Bearer gw_...`")
    identify: Identify = connection.app.state.identify
    actor = await identify(secret.strip())
    if actor is None:
        raise Unauthenticated("this key is unknown, expired or revoked")
    _require_budget(connection, actor.budget)
    scope = cast("Mapping[str, Any]", connection.scope)
    return replace(
        actor,
        address=connection.client.host if connection.client else None,
        endpoint=f"{scope['method']} {scope['path']}",
        request_id=scope[REQUEST_ID],
    )


def _require_budget(
    connection: ASGIConnection[Any, Any, Any, Any], budget: Budget | None
) -> None:
    """Leave the key's budget for the answer's headers; refuse one request too many."""
    if budget is None:
        return
    # ASGI allows keys of one's own, which Litestar's types do not.
    cast("MutableMapping[str, Any]", connection.scope)[BUDGET] = budget
    if budget.left < 0:
        raise TooMany(
            f"a key may ask {budget.quota} times a minute",
            retry_after_seconds=budget.resets_in,
        )
