"""The secret of an endpoint: derived, so the database never holds one and a backup leaks none.

Sender and API derive the same bytes from the master secret. A new version is a new secret; the
one before it can still be derived while both are in use.
"""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "whsec_"
PUBLIC_PREFIX = "whpk_"
_BYTES = 32
_CONTEXT = b"gw/webhook/v1"
_SIGNER_CONTEXT = b"gw/webhook/v1a"


class EndpointSecrets:
    """Derives secrets from the house's master secret."""

    def __init__(self, master: str) -> None:
        self._master = master.encode()

    def of(self, endpoint_id: str, version: int) -> str:
        """Return `whsec_` and 32 bytes in base64, as Standard Webhooks libraries take it."""
        return PREFIX + base64.b64encode(self._derived(_CONTEXT, endpoint_id, version)).decode()

    def signer(self, endpoint_id: str, version: int) -> Ed25519PrivateKey:
        """Return the key behind `v1a` signatures: who verifies them holds no secret."""
        seed = self._derived(_SIGNER_CONTEXT, endpoint_id, version)
        return Ed25519PrivateKey.from_private_bytes(seed)

    def public_key(self, endpoint_id: str, version: int) -> str:
        """Return `whpk_` and the signer's public key in base64."""
        public = self.signer(endpoint_id, version).public_key().public_bytes_raw()
        return PUBLIC_PREFIX + base64.b64encode(public).decode()

    def _derived(self, context: bytes, endpoint_id: str, version: int) -> bytes:
        info = b"\n".join((context, endpoint_id.encode(), str(version).encode()))
        return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=info).derive(
            self._master
        )
