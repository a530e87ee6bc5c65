"""Base58: bytes in the alphabet without 0, O, I and l; a leading zero byte is a leading `1`."""

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}
LENGTH_MAX = 88
"""Longer text is refused unread: reading is quadratic. An address has 44 letters at most, a
signature 88."""


def encode(raw: bytes) -> str:
    """Write bytes as base58."""
    number = int.from_bytes(raw, "big")
    letters = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(ALPHABET[digit])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(letters))


def decode(text: str) -> bytes:
    """Read base58; raise `ValueError` for another letter or more than 88 of them."""
    if len(text) > LENGTH_MAX:
        raise ValueError("too long for base58")
    number = 0
    for letter in text:
        if letter not in _VALUE:
            raise ValueError(f"{letter!r} is no base58 letter")
        number = number * 58 + _VALUE[letter]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
