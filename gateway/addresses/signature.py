"""Did the keystore make this address? Nobody is shown one before that is proved.

The keystore signs every pool row with an Ed25519 key that the database has never seen. Whoever
can write to the database can therefore not put an address of his own before a payer. The
keystore writes the same message; `tests/vectors/pool.json` ties the two together.
"""

from dataclasses import dataclass
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.settings import SettingsError

CONTEXT = b"gw/pool/v1\n"
REMEMBERED = 8_192
"""So many verdicts a process keeps, of those it needed last: a list shows the same rows again."""


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """One pool row as it was derived; `path` is the derivation path."""

    network: str
    index: int
    path: str
    address: str
    signature: bytes


def is_genuine(row: SignedAddress, public_key: str) -> bool:
    """Tell whether the keystore of `public_key` (64 hex digits) signed exactly this row.

    Without a configured key nothing is genuine.
    """
    return bool(public_key) and _is_signed(message(row), row.signature, public_key)


@lru_cache(maxsize=REMEMBERED)
def _is_signed(signed: bytes, signature: bytes, public_key: str) -> bool:
    """Verify; the verdict is remembered for exactly these bytes, signature and key."""
    try:
        _key(public_key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def message(row: SignedAddress) -> bytes:
    """Return the bytes that the keystore signs."""
    return CONTEXT + msgspec.json.encode([row.network, row.index, row.path, row.address])


@lru_cache(maxsize=8)
def _key(public_key: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    except ValueError as fault:
        raise SettingsError("keystore.pool_public_key: it is not 64 hex digits") from fault
