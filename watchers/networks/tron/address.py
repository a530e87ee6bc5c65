"""Tron addresses: 0x41 and twenty bytes, written as base58check (`T...`) everywhere in this house.

Nodes write the same address in three ways: base58 where a call asked for `visible`, 42 hex
digits with the 41 otherwise, and 40 hex digits without it in event logs. `canonical` takes all
three, so that one address never has two spellings behind this room.
"""

from collections.abc import Callable
from hashlib import sha256

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
DIGIT_OF = {letter: value for value, letter in enumerate(ALPHABET)}
PREFIX = b"\x41"
BYTES = 21
HEX_LENGTH = 40
BASE58_LENGTH = 34  # 25 bytes that start with 0x41 always fill 34 digits
CHECKSUM_BYTES = 4
CACHED = 65_536
PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
TWO_DIGITS, FOUR_DIGITS = 58**2, 58**4
FOURS = 8  # and two digits more make 34


def to_base58(address: bytes) -> str:
    """Write 21 bytes (0x41 first) as base58check; raise `ValueError` for anything else."""
    if len(address) != BYTES or address[:1] != PREFIX:
        raise ValueError(f"not a Tron address: {address.hex()}")
    # Four digits at a time: a block names hundreds of addresses, and every division of the whole
    # number costs as much as a hash.
    number = int.from_bytes(address + _checksum(address), "big")
    pairs: list[str] = []
    for _ in range(FOURS):
        number, four = divmod(number, FOUR_DIGITS)
        high, low = divmod(four, TWO_DIGITS)
        pairs += PAIRS[low], PAIRS[high]
    pairs.append(PAIRS[number])
    pairs.reverse()
    return "".join(pairs)


def from_base58(text: str) -> bytes:
    """Read base58check into 21 bytes; raise `ValueError` for a wrong length, digit or checksum."""
    if len(text) != BASE58_LENGTH:
        raise ValueError(f"not a Tron address: {text!r}")
    number = 0
    for letter in text:
        digit = DIGIT_OF.get(letter)
        if digit is None:
            raise ValueError(f"not a Tron address: {text!r}")
        number = number * 58 + digit
    if number >= 1 << (BYTES + CHECKSUM_BYTES) * 8:
        raise ValueError(f"not a Tron address: {text!r}")
    body = number.to_bytes(BYTES + CHECKSUM_BYTES, "big")
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
