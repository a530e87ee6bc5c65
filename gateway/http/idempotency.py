"""The same POST twice is one change: the answer is kept in the transaction that made the change.

An advisory lock on (tenant, endpoint, key) is taken first, without waiting: whoever does not get
it is told that the first request is still in flight, instead of holding a connection. The kept
answer is sealed, because some answers carry a secret that is shown once.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send_all, send_later
from gateway.domain.errors import Conflict, Invalid, Refusal
from gateway.domain.moment import Moment
from gateway.models import IdempotencyKey

KEY_LENGTH_MAX = 255
A_DAY = timedelta(days=1)
A_MONTH = timedelta(days=30)

_NONCE_BYTES = 12
_KEPT = """
SELECT request_hash, response_status, response_body, expires_at FROM idempotency_key
WHERE merchant_id = %(merchant_id)s AND endpoint = %(endpoint)s AND key = %(key)s
"""
_KEEP = """
INSERT INTO idempotency_key (merchant_id, endpoint, key, request_hash, response_status,
    response_body, created_at, expires_at)
VALUES (%(merchant_id)s, %(endpoint)s, %(key)s, %(request_hash)s, %(response_status)s,
    %(response_body)s, %(created_at)s, %(expires_at)s)
"""
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%(place)s, 0))"


@dataclass(frozen=True, slots=True)
class Claim:
    """One key of one tenant at one endpoint, and what was sent with it."""

    tenant: str
    endpoint: str
    key: str
    fingerprint: bytes

    @property
    def place(self) -> str:
        """Return what the claim is about, as one text."""
        return f"{self.tenant}\n{self.endpoint}\n{self.key}"


@dataclass(frozen=True, slots=True)
class _Row:
    """What `_KEPT` selects."""

    request_hash: bytes
    response_status: int | None
    response_body: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before."""

    status: int
    body: bytes


class Seal:
    """Encrypts kept answers, each bound to its place, under a key made from the pepper.

    Another `context` is another key, for what else must not lie open in the database.
    """

    def __init__(self, pepper: str, context: bytes = b"gw/idempotency/v1") -> None:
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=context)
        self._cipher = ChaCha20Poly1305(derive.derive(pepper.encode()))

    def close(self, body: bytes, place: str, randomness: Callable[[int], bytes]) -> str:
        """Return nonce and ciphertext as one line of base64."""
        nonce = randomness(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, body, place.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, text_: str, place: str) -> bytes:
        """Return the body; a row that was altered or moved raises `InvalidTag` or `ValueError`."""
        raw = base64.b64decode(text_)
        return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())


KEY_REQUIRED: Mapping[str, Any] = {"key_required": True}
"""`opt` of a route that moves money: without an `Idempotency-Key` it does nothing."""


def needs_key(opt: Mapping[str, Any]) -> bool:
    """Tell whether a route does nothing without a key, from its `opt`."""
    return opt.get("key_required") is True


def checked_key(header: str | None, *, required: bool) -> str | None:
    """Return the key of the header; refuse one that cannot be kept, or none where one must be."""
    if header is None:
        if required:
            raise Refusal(
                "this request needs the header Idempotency-Key", code="idempotency_key_required"
            )
        return None
    if (
        not 0 < len(header) <= KEY_LENGTH_MAX
        or not header.isascii()
        or not header.isprintable()
    ):
        raise Refusal(
            "Idempotency-Key is 1 to 255 printable ASCII characters",
            code="idempotency_key_invalid",
        )
    return header


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """Return SHA-256 of method, path and the body in one canonical form."""
    canonical = msgspec.json.encode(msgspec.json.decode(body), order="sorted") if body else b""
    return hashlib.sha256(f"{method}\n{path}\n".encode() + canonical).digest()


async def claimed(session: AsyncSession, claim: Claim, seal: Seal, at: datetime) -> Kept | None:
    """Take the claim, or return the answer that was given for it.

    Raises `Conflict` while the first request is in flight, `Invalid` if it was another request.
    """
    place = {"merchant_id": claim.tenant, "endpoint": claim.endpoint, "key": claim.key}
    # Two statements: the second sees what was committed when the lock was taken.
    [[locked]], found = await send_all(
        session, (_TRY_LOCK, {"place": claim.place}), (_KEPT, place)
    )
    if not locked:
        raise Conflict(
            "the first request with this Idempotency-Key is still in flight",
            code="idempotency_key_in_flight",
        )
    if not found:
        return None
    row = _Row(*found[0])
    if row.expires_at <= at:
        await _forget(session, claim)
        return None
    if row.request_hash != claim.fingerprint:
        raise Invalid(
            "this Idempotency-Key was used for another request", code="idempotency_key_reused"
        )
    if row.response_status is None or row.response_body is None:
        raise RuntimeError(f"idempotency row without an answer: {claim.endpoint}")
    return Kept(row.response_status, _opened(row.response_body, claim, seal))


def _opened(sealed: str, claim: Claim, seal: Seal) -> bytes:
    try:
        return seal.open(sealed, claim.place)
    except (InvalidTag, ValueError) as fault:
        # Doing it again would do it twice.
        raise Conflict(
            "the first request with this Idempotency-Key was done, and its answer cannot be read "
            "any more: look at what it made",
            code="idempotency_answer_unreadable",
        ) from fault


async def keep(
    session: AsyncSession,
    claim: Claim,
    answer: Kept,
    *,
    seal: Seal,
    moment: Moment,
    lifetime: timedelta,
) -> None:
    """Keep the answer; it commits together with what it tells."""
    values = {
        "merchant_id": claim.tenant,
        "endpoint": claim.endpoint,
        "key": claim.key,
        "request_hash": claim.fingerprint,
        "response_status": answer.status,
        "response_body": seal.close(answer.body, claim.place, moment.randomness),
        "created_at": moment.at,
        "expires_at": moment.at + lifetime,
    }
    await send_later(session, _KEEP, values)


async def _forget(session: AsyncSession, claim: Claim) -> None:
    await session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.merchant_id == claim.tenant,
            IdempotencyKey.endpoint == claim.endpoint,
            IdempotencyKey.key == claim.key,
        )
    )
