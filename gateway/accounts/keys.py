"""The text of an API key: `gw_test_` or `gw_live_`, 43 base62 digits of randomness, 6 of CRC-32.

The checksum turns away typing errors and lets scanners recognise a leaked key. Only an HMAC
under the server's pepper is stored, so a stolen database yields no key to try.
"""

import hmac
import re
import zlib

TEST_PREFIX = "gw_test_"
LIVE_PREFIX = "gw_live_"
RANDOM_BYTES = 32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 43  # 62 ** 43 > 2 ** 256
_CHECK_LENGTH = 6  # 62 ** 6 > 2 ** 32
_SHAPE = re.compile(r"gw_(?:test|live)_[0-9A-Za-z]{49}")
_SHOWN_LENGTH = 4


def new_key(randomness: bytes, *, livemode: bool) -> str:
    """Return the key made of 32 random bytes."""
    body = _base62(int.from_bytes(randomness, "big"), _BODY_LENGTH)
    text = (LIVE_PREFIX if livemode else TEST_PREFIX) + body
    return text + _checksum(text)


def is_well_formed(key: str) -> bool:
    """Tell whether shape and checksum are right; it does not mean that the key exists."""
    return bool(_SHAPE.fullmatch(key)) and key[-_CHECK_LENGTH:] == _checksum(
        key[:-_CHECK_LENGTH]
    )


def hashed(pepper: str, key: str) -> bytes:
    """Return what is stored of a key."""
    return hmac.digest(pepper.encode(), key.encode(), "sha256")


def shown(key: str) -> str:
    """Return the beginning that lists show, enough to tell keys apart."""
    return key[: len(TEST_PREFIX) + _SHOWN_LENGTH]


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
