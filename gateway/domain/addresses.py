"""Addresses: one stored spelling per address, and the reason why a text is none.

Stored are `0x` with 40 lower-case digits (Ethereum), base58check with the prefix 0x41 (Tron)
and base58 of 32 bytes (Solana). Only Ethereum is shown differently from how it is stored: with
the EIP-55 checksum in the case of its letters.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from sha3 import keccak_256

from gateway.domain import base58

Family = Literal["ethereum", "tron", "solana"]
AddressFault = Literal["bad_checksum", "invalid_address", "wrong_network"]

_HEX40 = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_TRON_HEX = re.compile(r"41[0-9a-fA-F]{40}", re.ASCII)
_TRON_TEXT = re.compile(f"T[{base58.ALPHABET}]{{33}}", re.ASCII)
_TRON_PREFIX = b"\x41"
_CHECKSUM_BYTES = 4
_SOLANA_BYTES = 32
_UPPER_FROM = "8"
"""EIP-55: a letter is upper case where the hash has a digit of at least 8."""
_SPELLED = 8_192
"""So many spellings a process keeps, of those it needed last: lists show the same ones again."""


class AddressError(ValueError):
    """The text is no address of this family; `code` is stable and goes outside."""

    def __init__(self, code: AddressFault, detail: str) -> None:
        super().__init__(detail)
        self.code: AddressFault = code
        self.detail = detail


def canonical(family: str, text: str) -> str:
    """Return the stored spelling of what somebody typed.

    `wrong_network` where the text is shaped like an address of another family, `bad_checksum`
    where it was mistyped, `invalid_address` for everything else.
    """
    if family not in _SHAPES:
        raise AddressError("invalid_address", f"nobody here reads addresses of {family}")
    if not _SHAPES[family](text):
        other = next((name for name, fits in _SHAPES.items() if fits(text)), None)
        if other is not None:
            raise AddressError(
                "wrong_network", f"this is an address of {_NAMES[other]}, not {_NAMES[family]}"
            )
        raise AddressError("invalid_address", f"this is not an address of {_NAMES[family]}")
    if family == "ethereum":
        return _ethereum(text)
    return _tron(text) if family == "tron" else text


def folded(family: str, address: str) -> str:
    """Return the stored spelling of an address that is known to be one, a listed contract's."""
    return address.lower() if family == "ethereum" else address


def display(address: str) -> str:
    """Return a stored address as people should see it: EIP-55 case for `0x`, else unchanged."""
    return _checksummed(address) if _HEX40.fullmatch(address) else address


@lru_cache(maxsize=_SPELLED)
def _checksummed(address: str) -> str:
    digits = address[2:].lower()
    digest = keccak_256(digits.encode()).hexdigest()
    spelled = zip(digits, digits.upper(), digest, strict=False)
    return "0x" + "".join(
        [upper if nibble >= _UPPER_FROM else letter for letter, upper, nibble in spelled]
    )


def is_nobody(address: str) -> bool:
    """Tell whether a stored address is all zeros: what is sent there is burnt.

    Solana's is the system program.
    """
    if _HEX40.fullmatch(address):
        return not address.strip("0x")
    raw = base58.decode(address)
    payload = raw[1:-_CHECKSUM_BYTES] if raw[:1] == _TRON_PREFIX else raw
    return not any(payload)


def _ethereum(text: str) -> str:
    digits = text[2:]
    one_case = digits in {digits.lower(), digits.upper()}
    if not one_case and display(text) != text:
        raise AddressError("bad_checksum", "the case of its letters does not fit (EIP-55)")
    return text.lower()


def _tron(text: str) -> str:
    if _TRON_HEX.fullmatch(text):
        body = bytes.fromhex(text)
        return base58.encode(body + _checksum(body))
    raw = base58.decode(text)
    body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if body[:1] != _TRON_PREFIX or len(body) != 21 or checksum != _checksum(body):
        raise AddressError("bad_checksum", "the checksum does not fit")
    return text


def _checksum(body: bytes) -> bytes:
    return sha256(sha256(body).digest()).digest()[:_CHECKSUM_BYTES]


def _is_ethereum_shaped(text: str) -> bool:
    return _HEX40.fullmatch(text) is not None


def _is_tron_shaped(text: str) -> bool:
    return _TRON_TEXT.fullmatch(text) is not None or _TRON_HEX.fullmatch(text) is not None


def _is_solana_shaped(text: str) -> bool:
    try:
        return len(base58.decode(text)) == _SOLANA_BYTES
    except ValueError:
        return False


_SHAPES: dict[str, Callable[[str], bool]] = {
    "ethereum": _is_ethereum_shaped,
    "tron": _is_tron_shaped,
    "solana": _is_solana_shaped,
}
_NAMES = {"ethereum": "an Ethereum network", "tron": "Tron", "solana": "Solana"}
