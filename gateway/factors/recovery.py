"""Recovery codes: ten, each good for one time, for the day the phone is lost. Pure.

A code is 80 random bits, so a keyed hash keeps it; there is nothing to guess slowly.
"""

import hmac
from collections.abc import Callable

from gateway.domain.moment import CROCKFORD

CODES = 10
_BYTES = 10
_DIGITS = 16
_GROUP = 4
_CONTEXT = "gw/recovery/v1"
_MISREAD = str.maketrans("oil", "011")
"""Crockford's alphabet has none of these letters, because people take them for digits."""


def new_codes(randomness: Callable[[int], bytes]) -> list[str]:
    """Return ten fresh codes such as `7k2m-q0xd-9r4t-htwz`."""
    return [_shown(int.from_bytes(randomness(_BYTES), "big")) for _ in range(CODES)]


def canonical(code: str) -> str:
    """Return what a typed code says, without its dashes, blanks and slips of reading."""
    return "".join(code.lower().split()).replace("-", "").translate(_MISREAD)


def hashed(pepper: str, user_id: str, code: str) -> bytes:
    """Return what is stored of a person's code."""
    text = f"{_CONTEXT}\n{user_id}\n{canonical(code)}"
    return hmac.digest(pepper.encode(), text.encode(), "sha256")


def _shown(number: int) -> str:
    digits = "".join(CROCKFORD[(number >> 5 * place) & 31] for place in range(_DIGITS))
    return "-".join(digits[place : place + _GROUP] for place in range(0, _DIGITS, _GROUP))
