"""Approvers at the door: no key but their own. A request is signed as a whole, for a minute.

Whoever repeats a request within the minute reads what was read, or writes what stands already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler

from gateway.approvals.credentials import ACTOR, SCHEME, Signed, request_message, signed
from gateway.approvals.repository import snapshots
from gateway.db import Database
from gateway.domain.actor import Actor
from gateway.domain.errors import Unauthenticated
from gateway.domain.moment import Moment
from gateway.domain.policy import approvers_from
from gateway.http.auth import requires
from gateway.http.errors import REQUEST_ID
from gateway.http.parameters import require_known
from gateway.http.wiring import parts_of

SCOPES = frozenset({"approvals:read", "approvals:write"})
SKEW_SECONDS = 60
POLICY_AGE_MAX = timedelta(minutes=10)
"""Older policies let nobody in: their network's watcher is away, and people may have left."""


def target_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the path with its query, as the client sent it."""
    query = connection.scope["query_string"].decode("latin-1")
    return connection.scope["path"] + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class admits(requires):  # noqa: N801 - reads as a word in the decorator
    """Let pass an approver by its own signature, or an operator's key with the scope."""

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Put the actor into the connection, or refuse with 401 or 403."""
        header = connection.headers.get("Authorization", "")
        if header.partition(" ")[0].lower() != SCHEME:
            await requires.__call__(self, connection, handler)
            return
        actor = await _approver(cast("Request[Any, Any, Any]", connection), signed(header))
        structlog.contextvars.bind_contextvars(key_id=actor.key_id, merchant=None)
        require_known(connection)
        connection.scope["user"] = actor


async def _approver(request: Request[Any, Any, Any], said: Signed) -> Actor:
    moment: Moment = parts_of(request).clock()
    if abs(moment.at.timestamp() - said.at) > SKEW_SECONDS:
        raise Unauthenticated("the request was signed more than a minute away from now")
    message = request_message(request.method, target_of(request), await request.body(), said.at)
    keys = await _keys_of(parts_of(request).database, said.name, moment)
    if not _any_signed(keys, bytes.fromhex(said.signature), message):
        raise Unauthenticated("no approver of the policy signed this request")
    return Actor(
        ACTOR + said.name,
        None,
        SCOPES,
        livemode=False,
        address=request.client.host if request.client else None,
        endpoint=f"{request.method} {request.scope['path']}",
        request_id=cast("dict[str, Any]", request.scope)[REQUEST_ID],
    )


async def _keys_of(database: Database, name: str, moment: Moment) -> set[str]:
    async with database.unit_of_work(None) as session:
        published = await snapshots(session)
    recent = (
        approvers_from(each.approvers).get(name)
        for each in published.values()
        if moment.at - each.published_at < POLICY_AGE_MAX
    )
    named = [each for each in recent if each is not None]
    if len({(each.public_key, each.merchant) for each in named}) > 1:
        raise Unauthenticated("several people of different policies have this name")
    return {each.public_key for each in named if each.kind == "key"}


def _any_signed(keys: Iterable[str], signature: bytes, message: bytes) -> bool:
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False
