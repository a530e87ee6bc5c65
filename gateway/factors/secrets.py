"""What must not lie open in the database: secrets of authenticator apps, recovery codes."""

from collections.abc import Callable

import structlog
from cryptography.exceptions import InvalidTag

from gateway.factors import recovery
from gateway.http.idempotency import Seal

_CONTEXT = b"gw/totp/v1"


class FactorSecrets:
    """Seals and hashes under the house's pepper, each value bound to its person."""

    def __init__(self, pepper: str) -> None:
        self._pepper = pepper
        self._seal = Seal(pepper, _CONTEXT)

    def close(self, secret: str, user_id: str, randomness: Callable[[int], bytes]) -> str:
        """Return an app's secret as it is stored."""
        return self._seal.close(secret.encode(), user_id, randomness)

    def open(self, sealed: str, user_id: str) -> str | None:
        """Return an app's secret; None where it was altered, moved or sealed by another pepper."""
        try:
            return self._seal.open(sealed, user_id).decode()
        except InvalidTag:
            structlog.get_logger().warning("totp secret cannot be opened", user_id=user_id)
            return None

    def code_hash(self, user_id: str, code: str) -> bytes:
        """Return what is stored of a recovery code."""
        return recovery.hashed(self._pepper, user_id, code)
