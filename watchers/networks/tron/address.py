"""Tron addresses: 0x41 and twenty bytes, written as base58check (`T...`) everywhere in this house.

Nodes write the same address in three ways: base58 where a call asked for `visible`, 42 hex
digits with the 41 otherwise, and 40 hex digits without it in event logs. `canonical` takes all
three, so that one address never has two spellings behind this room.
"""

from collections.abc import Callable
from hashlib import sha256

from solders.pubkey import Pubkey

PREFIX = b"\x41"
BYTES = 21
HEX_LENGTH = 40
BASE58_LENGTH = 34  # 25 bytes that start with 0x41 always fill 34 digits
CHECKSUM_BYTES = 4
CACHED = 65_536
PADDING = bytes(Pubkey.LENGTH - BYTES - CHECKSUM_BYTES)
"""Fills 25 bytes up to the length that the quick codec takes: in base58 each is one more "1"."""
PADDING_DIGITS = "1" * len(PADDING)


def to_base58(address: bytes) -> str:
    """Write 21 bytes (0x41 first) as base58check; raise `ValueError` for anything else."""
    if len(address) != BYTES or address[:1] != PREFIX:
        raise ValueError(f"not a Tron address: {address.hex()}")
    # A block names hundreds of addresses: long division in Python takes four times as long.
    return str(Pubkey(PADDING + address + _checksum(address)))[len(PADDING) :]


def from_base58(text: str) -> bytes:
    """Read base58check into 21 bytes; raise `ValueError` for a wrong length, digit or checksum."""
    if len(text) != BASE58_LENGTH:
        raise ValueError(f"not a Tron address: {text!r}")
    try:
        body = bytes(Pubkey.from_string(PADDING_DIGITS + text))[len(PADDING) :]
    except ValueError as trouble:
        raise ValueError(f"not a Tron address: {text!r}") from trouble
    address, checksum = body[:BYTES], body[BYTES:]
    if address[:1] != PREFIX or checksum != _checksum(address):
        raise ValueError(f"not a Tron address: {text!r}")
    return address


def to_hex(text: str) -> str:
    """Write a base58 address as the 42 hex digits that node calls take."""
    return from_base58(text).hex()


class Remembered(dict[str, str]):
    """What texts mean, worked out once; emptied when it holds `CACHED` of them.

    A block asks hundreds of times: to keep the order of use, as `lru_cache` does, takes twice as
    long as a plain look-up.
    """

    def __init__(self, meaning: Callable[[str], str]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, text: str) -> str:
        meant = self._meaning(text)
        if len(self) >= CACHED:
            self.clear()
        self[text] = meant
        return meant


def _in_base58(text: str) -> str:
    if len(text) == BASE58_LENGTH:
        from_base58(text)
        return text
    try:
        octets = bytes.fromhex(text)
    except ValueError as trouble:
        raise ValueError(f"not a Tron address: {text!r}") from trouble
    return to_base58(PREFIX + octets if len(text) == HEX_LENGTH else octets)


BASE58 = Remembered(_in_base58)


def canonical(text: str) -> str:
    """Return the base58 form of an address in any of the three spellings of a node."""
    return BASE58[text]


def spellings(text: str) -> tuple[str, str, str]:
    """Return the three spellings in which a node may write a base58 address."""
    spelled = to_hex(text)
    return text, spelled, spelled[2:]


def _checksum(address: bytes) -> bytes:
    return sha256(sha256(address).digest()).digest()[:CHECKSUM_BYTES]
