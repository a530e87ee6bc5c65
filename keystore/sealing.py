"""Sealing: a key from a passphrase (Argon2id), and encryption bound to its context.

ChaCha20-Poly1305 with random 96-bit nonces under a key that lives for one file only, far below
the birthday bound. Every sealed value carries its context as associated data, so a ciphertext
moved to another place of the file does not open. References: RFC 9106, RFC 8439.
"""

from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SALT_BYTES = 16
KIB_PER_MIB = 1_024

Randomness = Callable[[int], bytes]
"""`os.urandom` in the process; a fixed stream in tests."""


class Cost(msgspec.Struct, frozen=True):
    """What one guess at the passphrase costs: KiB of memory, passes, lanes."""

    memory_cost: int = 256 * KIB_PER_MIB
    iterations: int = 4
    lanes: int = 2


class CostBounds(msgspec.Struct, frozen=True):
    """What a file may ask for: neither a downgrade nor a memory bomb is obeyed."""

    least: Cost = Cost(64 * KIB_PER_MIB, 1, 1)
    most: Cost = Cost(4_096 * KIB_PER_MIB, 20, 16)

    def allow(self, cost: "Kdf") -> bool:
        """Say whether all three parameters lie between `least` and `most`."""
        return all(
            getattr(self.least, name) <= getattr(cost, name) <= getattr(self.most, name)
            for name in Cost.__struct_fields__
        )


class Kdf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of one slot as the file spells them."""

    alg: str
    memory_cost: int
    iterations: int
    lanes: int
    salt: bytes


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A nonce and a ciphertext with its tag."""

    nonce: bytes
    ct: bytes


class NotOpened(Exception):
    """Wrong key, or altered text or context: an AEAD cannot tell which."""


def wipe(secret: bytearray) -> None:
    """Overwrite a secret in place."""
    secret[:] = bytes(len(secret))


def key_from_passphrase(passphrase: bytes, kdf: Kdf) -> bytearray:
    """Return the 32-byte slot key; the caller has checked the bounds and wipes the result."""
    key = bytearray(KEY_BYTES)
    Argon2id(
        salt=kdf.salt,
        length=KEY_BYTES,
        iterations=kdf.iterations,
        lanes=kdf.lanes,
        memory_cost=kdf.memory_cost,
    ).derive_into(passphrase, key)
    return key


def seal(
    key: bytearray, secret: bytes | bytearray, context: bytes, random: Randomness
) -> Sealed:
    """Encrypt `secret` so that it opens under this key and this context only."""
    nonce = random(NONCE_BYTES)
    return Sealed(nonce, ChaCha20Poly1305(key).encrypt(nonce, secret, context))


def unseal(key: bytearray, sealed: Sealed, context: bytes) -> bytearray:
    """Decrypt into a buffer that can be wiped; raise `NotOpened`."""
    if len(sealed.nonce) != NONCE_BYTES or len(sealed.ct) < TAG_BYTES:
        raise NotOpened
    secret = bytearray(len(sealed.ct) - TAG_BYTES)
    try:
        ChaCha20Poly1305(key).decrypt_into(sealed.nonce, sealed.ct, context, secret)
    except InvalidTag as fault:
        raise NotOpened from fault
    return secret


def context(*parts: object) -> bytes:
    """Return associated data for `parts`: a domain prefix and one canonical JSON list."""
    return b"gw-keystore/v1\n" + msgspec.json.encode(parts, order="sorted")
