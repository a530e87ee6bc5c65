"""Addresses as Ethereum writes them: 20 bytes in hex, optionally with an EIP-55 checksum."""

import re

from eth_utils.crypto import keccak

HEX_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
ZERO = "0x" + "00" * 20
SYSTEM = "0x" + "ff" * 19 + "fe"
"""EIP-7708 logs native value under this address with the ERC-20 topic; it is no token."""


def checksummed(address: str) -> str:
    """Return the EIP-55 spelling of a lower- or mixed-case address, unchecked."""
    digits = address[2:].lower()
    digest = keccak(digits.encode()).hex()
    spelled = zip(digits, digest, strict=False)
    return "0x" + "".join(c.upper() if int(nibble, 16) >= 8 else c for c, nibble in spelled)


def canonical(address: str) -> str:
    """Return the lower-case spelling.

    Raises `ValueError` for another shape, and for mixed case whose checksum is wrong: somebody
    mistyped it.
    """
    if not HEX_ADDRESS.fullmatch(address):
        raise ValueError(f"not an Ethereum address: {address!r}")
    digits = address[2:]
    if digits in {digits.lower(), digits.upper()} or checksummed(address) == address:
        return address.lower()
    raise ValueError(f"checksum of the address is wrong: {address!r}")
