"""What both call styles decide in the same way, without a socket: bodies, headers, retries."""

import ipaddress
import platform
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from cryptic_gateway.problems import GatewayError, NoAnswer, Problem, Unintelligible
from cryptic_gateway.signing import Signer

T = TypeVar("T")

VERSION = "0.1.0"
IN_FLIGHT = "idempotency_key_in_flight"
_KEY = re.compile(r"[ -~]{1,255}")
_SAFE = frozenset({"GET", "POST"})
"""Reading changes nothing, and every POST carries an idempotency key."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """How often and how long: pauses double from `first_pause`, `Retry-After` is respected.

    A gateway that asks for more than `pause_max` seconds is not waited for. Pauses are seconds.
    """

    attempts: int = 4
    first_pause: float = 0.5
    pause_max: float = 30.0

    def pause(
        self, fault: GatewayError, method: str, attempt: int, chance: float
    ) -> float | None:
        """Return the seconds to wait after this attempt (from 1), None where it was the last.

        `chance` (0 to 1) spreads clients that failed together.
        """
        if attempt >= self.attempts or not _is_worth_it(fault, method):
            return None
        longest: float = min(self.first_pause * 2 ** (attempt - 1), self.pause_max)
        asked = fault.retry_after if isinstance(fault, Problem) else None
        if asked is not None and asked > self.pause_max:
            return None
        return max(longest * (0.5 + chance / 2), float(asked or 0))


def _is_worth_it(fault: GatewayError, method: str) -> bool:
    if isinstance(fault, Problem):
        return fault.status in {429, 503} or fault.code == IN_FLIGHT
    return isinstance(fault, NoAnswer | Unintelligible) and method in _SAFE


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Where the gateway is and who asks. Its text form hides the key."""

    base_url: str
    api_key: str
    signer: Signer | None = None

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        local = address.scheme == "http" and _is_local(address.hostname or "")
        if address.scheme != "https" and not local:
            raise ValueError("a key travels over https only, except to this machine")

    def __repr__(self) -> str:
        return f"Access(base_url={self.base_url!r}, api_key='{self.api_key[:8]}...')"

    def url(self, path: str) -> str:
        """Return the address of a path under /v1."""
        return f"{self.base_url.rstrip('/')}/v1{path}"

    def headers(
        self, method: str, url: str, body: bytes, idempotency_key: str | None
    ) -> dict[str, str]:
        """Return the headers of one attempt; a signature is fresh each time."""
        headers = {
            "Authorization": f"Bearer {self.api_key}",
            "Accept": "application/json, application/problem+json",
            "User-Agent": f"cryptic-gateway-client/{VERSION} python/{platform.python_version()}",
        }
        if body:
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        if self.signer is not None:
            headers.update(self.signer.headers(method, url, body, idempotency_key))
        return headers


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def key_for(method: str, given: str | None) -> str | None:
    """Return the idempotency key of a request: the caller's, or a new one for a POST.

    One that is no key, such as an empty text, is a `ValueError`: a new one in its place would do
    twice what was to be done once.
    """
    if given is None:
        return str(uuid.uuid4()) if method == "POST" else None
    if not _KEY.fullmatch(given):
        raise ValueError("an idempotency key is 1 to 255 printable ASCII characters")
    return given


def encoded(body: Mapping[str, Any] | None) -> bytes:
    """Return the JSON body; amounts are exact text, and a float is refused."""
    return b"" if body is None else msgspec.json.encode(_exact(body))


def decoded(content: bytes, kind: type[T]) -> T:
    """Read an answer; fields that this version does not know are passed over.

    One without a body (204) is null.
    """
    try:
        return msgspec.json.decode(content or b"null", type=kind)
    except msgspec.DecodeError as fault:
        raise Unintelligible(f"the answer is not a {kind!r}: {fault}") from fault


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        raise TypeError("amounts are Decimal, int or str: a float is not exact")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return {
            name: str(inner) if name == "amount" and type(inner) is int else _exact(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_exact(inner) for inner in value]
    return value


def query(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query of a list: `created_gte` is written `created[gte]`, None stays out."""
    given: dict[str, Any] = {}
    for name, value in filters.items():
        stem, _, end = name.rpartition("_")
        written = f"{stem}[{end}]" if end in {"gte", "lt", "lte"} else name
        if value is not None:
            given[written] = value.isoformat() if hasattr(value, "isoformat") else _exact(value)
    return given
