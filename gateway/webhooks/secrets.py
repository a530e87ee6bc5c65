"""The secret of an endpoint: derived, so the database never holds one and a backup leaks none.

Sender and API derive the same bytes from the master secret. A new version is a new secret; the
one before it can still be derived while both are in use.
"""

import base64

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "whsec_"
_BYTES = 32
_CONTEXT = b"gw/webhook/v1"


class EndpointSecrets:
    """Derives secrets from the house's master secret."""

    def __init__(self, master: str) -> None:
        self._master = master.encode()

    def of(self, endpoint_id: str, version: int) -> str:
        """Return `whsec_` and 32 bytes in base64, as Standard Webhooks libraries take it."""
        info = b"\n".join((_CONTEXT, endpoint_id.encode(), str(version).encode()))
        derived = HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=info)
        return PREFIX + base64.b64encode(derived.derive(self._master)).decode()
