"""Sealed texts: bodies with a link that opens an account, and addresses with a service's token.

The key is made from the house's master secret, which API and worker have and the database has not.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class Sealing:
    """Encrypts texts, each bound to the row that holds it."""

    def __init__(self, master: str) -> None:
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"gw/notification/v1")
        self._cipher = ChaCha20Poly1305(derive.derive(master.encode()))

    def close(self, text: str, row_id: str, randomness: Callable[[int], bytes]) -> bytes:
        """Return nonce and ciphertext."""
        nonce = randomness(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), row_id.encode())

    def open(self, sealed: bytes, row_id: str) -> str:
        """Return the text; one that was altered or moved raises `InvalidTag`."""
        nonce, closed = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, closed, row_id.encode()).decode()
