"""Argon2id (RFC 9106) as PHC strings, off the event loop and only so many side by side."""

import asyncio
import base64
from collections.abc import Callable
from typing import TypeVar

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from gateway.domain.errors import Unavailable
from gateway.domain.password import normalized
from gateway.settings import PeopleSettings

SALT_BYTES = 16
WAITING_MAX = 64
"""More than these would wait longer than anybody does: they are told to come again."""
_HASH_BYTES = 32
T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords at the configured cost."""

    def __init__(self, settings: PeopleSettings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(settings.hashing_at_once)
        self._waiting = 0

    async def hashed(self, password: str, salt: bytes) -> str:
        """Return the PHC string of a password."""
        return await self._aside(
            lambda: self._cost(salt).derive_phc_encoded(normalized(password).encode())
        )

    async def shown(self, password: str, salt: str | None) -> str:
        """Return the PHC string of a password under the cost and salt of a stored one.

        `salt` is all of that but its hash; without it (nobody of this name) do the same work.
        """
        if salt is None:
            return await self.hashed(password, bytes(SALT_BYTES))
        return await self._aside(lambda: _as_before(normalized(password).encode(), salt))

    def is_outdated(self, phc: str) -> bool:
        """Tell whether a hash was made at another cost than today's."""
        cost = self._settings
        today = f"m={cost.argon2_memory_kib},t={cost.argon2_iterations},p={cost.argon2_lanes}"
        return phc.split("$")[1:4] != ["argon2id", "v=19", today]

    def _cost(self, salt: bytes) -> Argon2id:
        return Argon2id(
            salt=salt,
            length=_HASH_BYTES,
            iterations=self._settings.argon2_iterations,
            lanes=self._settings.argon2_lanes,
            memory_cost=self._settings.argon2_memory_kib,
        )

    async def _aside(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise Unavailable("too many people are signing in at once", code="busy")
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _as_before(password: bytes, salt: str) -> str:
    _, kind, version, cost, raw, _ = salt.split("$")
    if (kind, version) != ("argon2id", "v=19"):
        raise ValueError(f"a password hash of an unknown kind: {kind} {version}")
    memory, iterations, lanes = (int(each.partition("=")[2]) for each in cost.split(","))
    derive = Argon2id(
        salt=base64.b64decode(raw + "=" * (-len(raw) % 4)),
        length=_HASH_BYTES,
        iterations=iterations,
        lanes=lanes,
        memory_cost=memory,
    )
    return derive.derive_phc_encoded(password)
