"""What every family offers, and the number rules that they share."""

import re
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore.refusal import Refused

Key = bytes | Ed25519PrivateKey
"""A signer's 32 bytes, or, on ed25519, OpenSSL's own object, which overwrites them when it goes."""
_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)


class SignedBytes(msgspec.Struct, frozen=True):
    """A transaction ready to broadcast, and its hash in the chain's own spelling."""

    raw: bytes
    tx_hash: str


class Draft(Protocol):
    """One transaction, complete but for its signatures."""

    @property
    def slot(self) -> str:
        """The place on the chain that only one withdrawal may take."""
        ...

    def sign(self, *keys: Key) -> SignedBytes:
        """Sign with the private keys of the signers, the sender's first.

        The same keys give the same bytes.
        """
        ...


def whole(text: str, field: str, *, bits: int) -> int:
    """Read a decimal string in its one spelling (no sign, no leading zero) below `2**bits`."""
    if _WHOLE.fullmatch(text) is None:
        raise Refused("bad_field", f"{field}: must be a plain decimal whole number")
    return within(int(text), field, most=2**bits - 1)


def within(value: int, field: str, *, least: int = 0, most: int) -> int:
    """Return `value` if it lies between `least` and `most`."""
    if not least <= value <= most:
        raise Refused("bad_field", f"{field}: must lie between {least} and {most}")
    return value
