"""Signed requests: what a signature has to cover here, how old it may be, and that it came once.

The form is told in docs/merchants.md. A signature that is sent is always checked; a merchant that
demands them refuses changes without one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection

from gateway.domain.actor import Actor
from gateway.domain.errors import Unauthenticated
from gateway.http import message_signatures as rfc9421
from gateway.http.message_signatures import HttpRequest, Malformed, SignatureInput
from gateway.http.methods import asked
from gateway.http.wiring import parts_of

WINDOW = timedelta(minutes=5)
"""How far `created` may be from now, before and after."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
NONCE_LENGTHS = range(16, 129)
_TARGETS = ({"@target-uri"}, {"@path", "@query"})


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature within its time that nobody has verified yet."""

    given: SignatureInput
    nonce: str
    nonce_until: datetime
    """After this moment the signature is too old, so its nonce need not be remembered."""


def presented(connection: ASGIConnection[Any, Any, Any, Any]) -> Signed | None:
    """Read the request's signature, None where it has none; a bad or an old one is refused."""
    said, signature = _header(connection, "signature-input"), _header(connection, "signature")
    if said is None and signature is None:
        return None
    try:
        given = rfc9421.parsed(said or "", signature or "")
        return _within_time(given, parts_of(connection).clock().at)
    except Malformed as fault:
        raise _refusal(str(fault)) from fault


async def require_genuine(
    connection: ASGIConnection[Any, Any, Any, Any], actor: Actor, signed: Signed | None
) -> None:
    """Refuse a signature that is not this key's over this request, and a second use of it.

    Without one, refuse a change where the merchant demands signatures.
    """
    method = cast("Mapping[str, Any]", connection.scope)["method"]
    if signed is None:
        if actor.require_signature and method not in READING:
            raise Unauthenticated(
                "this merchant's changes have to be signed", code="signature_required"
            )
        return
    if actor.public_key is None:
        raise _refusal("this key has no public key")
    if signed.given.parameters.get("keyid") != actor.key_id:
        raise _refusal(f"keyid is not {actor.key_id}")
    request = _request_of(connection)
    body = await _body(connection)
    try:
        _require_cover(request, signed.given, body)
        genuine = rfc9421.is_signed_by(actor.public_key, request, signed.given)
    except Malformed as fault:
        raise _refusal(str(fault)) from fault
    if not genuine:
        raise _refusal("the signature is not this key's over this request")
    if not actor.nonce_fresh:
        raise Unauthenticated("this nonce was used before", code="signature_replayed")


def _within_time(given: SignatureInput, at: datetime) -> Signed:
    created, expires = given.parameters.get("created"), given.parameters.get("expires")
    nonce = given.parameters.get("nonce")
    if given.parameters.get("alg", "ed25519") != "ed25519":
        raise Malformed("alg is ed25519")
    if not isinstance(nonce, str) or len(nonce) not in NONCE_LENGTHS:
        raise Malformed("nonce is 16 to 128 characters")
    if not isinstance(created, int):
        raise Malformed("created is needed")
    now = int(at.timestamp())
    seconds = int(WINDOW.total_seconds())
    if abs(now - created) > seconds:
        raise Malformed(f"created is more than {seconds} seconds from now")
    if expires is not None and (not isinstance(expires, int) or expires <= now):
        raise Malformed("the signature has expired")
    until = datetime.fromtimestamp(created + seconds + 1, UTC)
    return Signed(given, nonce, until)


def _require_cover(request: HttpRequest, given: SignatureInput, body: bytes) -> None:
    """Refuse a signature that leaves open what is asked: method, target, body, idempotency key."""
    covered = set(given.components)
    wanted = {"@method"}
    if "idempotency-key" in request.headers:
        wanted.add("idempotency-key")
    if body:
        wanted.add("content-digest")
    if not any(target <= covered for target in _TARGETS):
        wanted |= {"@path", "@query"}
    if missing := sorted(wanted - covered):
        raise Malformed(f"the signature does not cover {', '.join(missing)}")
    if "content-digest" in covered and not rfc9421.digest_fits(
        request.headers.get("content-digest", ""), body
    ):
        raise Malformed("Content-Digest is not the body's")


def _request_of(connection: ASGIConnection[Any, Any, Any, Any]) -> HttpRequest:
    scope = cast("Mapping[str, Any]", connection.scope)
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return HttpRequest(
        method=asked(scope),
        origin=parts_of(connection).public_url,
        path=scope["raw_path"].partition(b"?")[0].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
    )


async def _body(connection: ASGIConnection[Any, Any, Any, Any]) -> bytes:
    if not isinstance(connection, Request):
        raise TypeError("only requests are signed")
    return await connection.body()


def _header(connection: ASGIConnection[Any, Any, Any, Any], name: str) -> str | None:
    found = connection.headers.getall(name, [])
    return ", ".join(found) if found else None


def _refusal(detail: str) -> Unauthenticated:
    return Unauthenticated(detail, code="signature_invalid")
