"""Pure: signature and account keys of a transaction in bytes: legacy, version 0 and version 1.

Legacy and 0: a count, that many signatures of 64 bytes, then the message: a version byte with
the high bit set (not in legacy), three bytes of header, a count, that many keys of 32 bytes.
Counts are compact: seven bits a byte, least significant first.

Version 1 (SIMD-0385) begins with its version byte, 0x81; then header, 4 bytes of configuration
mask, a block hash of 32, one byte each for the counts of instructions and of keys, the keys, the
rest; and as many signatures as the header's first byte says close it, without a count.
"""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.signature import Signature

_SIGNATURE_BYTES, _KEY_BYTES, _HEADER_BYTES = 64, 32, 3
_VERSIONED = 0x80
_VERSION_1 = _VERSIONED | 1
_V1_KEY_COUNT_OFFSET = 1 + _HEADER_BYTES + 4 + 32 + 1

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Packed:
    """First signature in base58, and where the static keys lie in the bytes."""

    tx_hash: str
    data: bytes
    first: int
    count: int

    def __post_init__(self) -> None:
        if self.first + self.count * _KEY_BYTES > len(self.data):
            raise ValueError("a transaction cut short")

    def keys(self) -> list[str]:
        """Return the static account keys in base58."""
        starts = range(self.first, self.first + self.count * _KEY_BYTES, _KEY_BYTES)
        return [str(Pubkey.from_bytes(self.data[at : at + _KEY_BYTES])) for at in starts]


def unpacked(body: Sequence[str] | str) -> Packed:
    """Read `[bytes, encoding]`, or bare base58; raise `ValueError` where it is no transaction."""
    text, encoding = (body, "base58") if isinstance(body, str) else _pair(body)
    if encoding not in {"base64", "base58"}:
        raise ValueError(f"encoding {encoding!r} is unknown")
    data = b64decode(text, validate=True) if encoding == "base64" else _from_base58(text)
    if not data:
        raise ValueError("a transaction of no bytes")
    return _version_1(data) if data[0] == _VERSION_1 else _signatures_first(data)


def _pair(body: Sequence[str]) -> tuple[str, str]:
    if len(body) != 2:
        raise ValueError(f"a transaction of {len(body)} parts")
    return body[0], body[1]


def _signatures_first(data: bytes) -> Packed:
    signatures, at = _compact(data, 0)
    signature = _signature(data, at, signatures)
    at += signatures * _SIGNATURE_BYTES
    if at >= len(data):
        raise ValueError("a transaction cut short")
    if data[at] & _VERSIONED:
        if data[at] != _VERSIONED:
            raise ValueError(f"message version {data[at] & ~_VERSIONED} behind its signatures")
        at += 1
    count, first = _compact(data, at + _HEADER_BYTES)
    return Packed(signature, data, first, count)


def _version_1(data: bytes) -> Packed:
    if len(data) <= _V1_KEY_COUNT_OFFSET:
        raise ValueError("a transaction cut short")
    signatures = data[1]
    signature = _signature(data, len(data) - signatures * _SIGNATURE_BYTES, signatures)
    return Packed(signature, data, _V1_KEY_COUNT_OFFSET + 1, data[_V1_KEY_COUNT_OFFSET])


def _signature(data: bytes, at: int, count: int) -> str:
    if not count:
        raise ValueError("a transaction without a signature")
    first = data[at : at + _SIGNATURE_BYTES]
    if at < 0 or len(first) != _SIGNATURE_BYTES:
        raise ValueError("a transaction cut short")
    return str(Signature.from_bytes(first))


def _compact(data: bytes, at: int) -> tuple[int, int]:
    """Read a compact number; return it and where it ends. It has three bytes at most."""
    value = 0
    for index in range(3):
        if at + index >= len(data):
            raise ValueError("a transaction cut short")
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < _VERSIONED:
            return value, at + index + 1
    raise ValueError("a count of more than three bytes")


def _from_base58(text: str) -> bytes:
    number = 0
    for character in text:
        digit = _BASE58.find(character)
        if digit < 0:
            raise ValueError(f"{character!r} is no base58 digit")
        number = number * 58 + digit
    leading = len(text) - len(text.lstrip(_BASE58[0]))
    return bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8, "big")
