"""Tron addresses: 21 bytes that begin with 0x41, written as base58check or as hex."""

from hashlib import sha256

import base58
from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

PREFIX = b"\x41"
ADDRESS_BYTES = 21


def base58_text(address: bytes) -> str:
    """Write `T...`."""
    return base58.b58encode_check(address).decode()


def shown(address: bytes, *, visible: bool) -> str:
    """Write an address the way a java-tron answer does: base58 where visible, else hex."""
    return base58_text(address) if visible else address.hex()


def parse(text: str, *, visible: bool) -> bytes:
    """Read base58check where visible, else 42 hex digits; `ValueError` for anything else."""
    address = base58.b58decode_check(text) if visible else bytes.fromhex(text)
    if len(address) != ADDRESS_BYTES or not address.startswith(PREFIX):
        raise ValueError(f"{text!r} is not a Tron address")
    return address


def of_key(key: PrivateKey | PublicKey) -> bytes:
    """Return the address that a key controls."""
    public = key.public_key if isinstance(key, PrivateKey) else key
    return PREFIX + keccak(public.format(compressed=False)[1:])[-20:]


def of_contract(seed: bytes, owner: bytes) -> bytes:
    """Return where `owner` creates a contract; `seed` is the id of the creating transaction."""
    return PREFIX + keccak(seed + owner)[-20:]


def evm(address: bytes) -> str:
    """Write the same account for an EVM: 0x and the last 20 bytes."""
    return f"0x{address[1:].hex()}"


def word(address: bytes) -> bytes:
    """Write it as a 32-byte argument of a contract call."""
    return bytes(12) + address[1:]


def from_evm(text: str) -> bytes:
    """Read an EVM address."""
    return PREFIX + bytes.fromhex(text.removeprefix("0x"))


def constant_key(purpose: str) -> PrivateKey:
    """Return a key that everybody knows, derived from its purpose; worthless outside here."""
    return PrivateKey(sha256(f"cryptic-gateway devnet tron {purpose}".encode()).digest())
