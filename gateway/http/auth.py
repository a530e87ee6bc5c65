"""Who is calling, and may they: `requires("invoices:write")` as a route's guard.

A key or a person's session token comes as bearer; a session may come as cookie instead.
A route without a guard is public; it gets no actor and so no tenant's data.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway.domain.actor import Actor, Budget, SignedIn, may_come_from
from gateway.domain.errors import Forbidden, TooMany, Unauthenticated
from gateway.http.cookies import session_of_cookie
from gateway.http.errors import BUDGET, CALLER, REQUEST_ID
from gateway.http.parameters import require_known
from gateway.http.request_signing import READING, Signed, presented, require_genuine
from gateway.http.wiring import parts_of
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of its sender; the nonce is that of a signed request."""

    secret: str
    address: str | None = None
    nonce: str | None = None
    nonce_until: datetime | None = None


Identify = Callable[[Credentials], Awaitable[Actor | None]]
"""From what a request presents to the actor, or None if no such key or session is in force."""

LIVE_KEY = "live_key_required"
STEP_UP_LASTS = timedelta(minutes=5)
_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class requires:  # noqa: N801 - reads as a word in the decorator
    """Let pass a known key with this scope from an address that the key allows.

    Without a scope any key will do. With `step_up` a person must have shown a factor within five
    minutes, and one of the house has a second one where money is real; keys are not asked. `unfinished` lets in a person whose second factor is still due.
    `shared`: what is written counts for real money too, so a test key is refused.
    """

    scope: str | None = None
    step_up: bool = False
    unfinished: bool = False
    shared: bool = False

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
    ) -> None:
        """Put the actor into the connection, or refuse with 401 or 403."""
        signed = presented(connection)
        actor = await _identified(connection, signed)
        structlog.contextvars.bind_contextvars(key_id=actor.key_id, merchant=actor.merchant_id)
        _require_place(actor)
        await require_genuine(connection, actor, signed)
        if self.scope is not None:
            _require_active(connection, actor)
        if actor.signed_in is not None and not self.unfinished:
            _require_second_factor(actor.signed_in)
        if self.scope is not None and self.scope not in actor.scopes:
            raise Forbidden(f"this key lacks the scope {self.scope}")
        if self.shared:
            require_live_key(actor, parts_of(connection).settings)
        if actor.signed_in is not None and self.step_up:
            if self.scope is not None:
                _require_enrolled(actor, actor.signed_in, parts_of(connection).settings)
            _require_step_up(actor.signed_in, parts_of(connection).clock().at)
        require_known(connection)
        connection.scope["user"] = actor


def require_live_key(actor: Actor, settings: Settings) -> None:
    """Refuse a test key what real money goes by, where there is any.

    A person chooses the mode of the session, which keeps nobody from anything.
    """
    if settings.real_money and not actor.livemode and actor.signed_in is None:
        raise Forbidden("real money goes by this as well: use a live key", code=LIVE_KEY)


async def _identified(
    connection: ASGIConnection[Any, Any, Any, Any], signed: Signed | None
) -> Actor:
    scheme, _, secret = connection.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != _SCHEME or not secret:
        secret = session_of_cookie(connection) or ""
    if not secret:
        raise Unauthenticated("send `Authorization: Bearer gw_...`")
    identify: Identify = parts_of(connection).identify
    address = connection.client.host if connection.client else None
    credentials = Credentials(secret.strip(), address)
    if signed is not None:
        credentials = replace(credentials, nonce=signed.nonce, nonce_until=signed.nonce_until)
    actor = await identify(credentials)
    if actor is None:
        raise Unauthenticated("this key is unknown, expired or revoked")
    cast("MutableMapping[str, Any]", connection.scope)[CALLER] = actor
    _require_budget(connection, actor.budget)
    scope = cast("Mapping[str, Any]", connection.scope)
    return replace(
        actor,
        address=address,
        endpoint=f"{scope['method']} {scope['path']}",
        request_id=scope[REQUEST_ID],
        signed=signed is not None,  # `require_genuine` refuses one that is not
    )


def _require_second_factor(signed_in: SignedIn) -> None:
    if signed_in.factor_pending:
        raise Forbidden("present your second factor first", code="second_factor_required")


def _require_enrolled(actor: Actor, signed_in: SignedIn, settings: Settings) -> None:
    """Refuse the house's own who have a password alone, where money is real.

    It steps them up for their own factors only: that is how they set one up.
    """
    if actor.merchant_id is None and settings.real_money and not signed_in.enrolled:
        raise Forbidden(
            "where money is real a password is not enough: set up a second factor, by"
            " POST /v1/factors/totp or /v1/factors/passkeys/options",
            code="second_factor_missing",
        )


def _require_step_up(signed_in: SignedIn, at: datetime) -> None:
    shown = signed_in.stepped_up_at
    if shown is None or at - shown >= STEP_UP_LASTS:
        raise Forbidden("present a factor once more for this", code="step_up_required")


def _require_place(actor: Actor) -> None:
    """Refuse an address that the key, or its merchant, does not allow."""
    if not may_come_from(actor.address, actor.allowed_ips):
        raise Forbidden("this key may not be used from here", code="ip_not_allowed")
    if not may_come_from(actor.address, actor.merchant_ips):
        raise Forbidden("the merchant does not allow this address", code="ip_not_allowed")


def _require_active(connection: ASGIConnection[Any, Any, Any, Any], actor: Actor) -> None:
    """Let a suspended merchant look, and change nothing."""
    method = cast("Mapping[str, Any]", connection.scope)["method"]
    if actor.suspended and method not in READING:
        raise Forbidden(
            "the merchant is suspended: nothing can be changed", code="merchant_suspended"
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
