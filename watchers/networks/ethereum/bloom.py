"""Blooms: 2,048 bits in which every address and topic of a log sets three (Yellow Paper 4.3.1).

A bloom never hides what was logged, so it shows logs that a node left out. It may claim what
was not logged, so only the exact bloom of a receipt's own logs proves anything against it.
"""

from collections.abc import Iterable
from functools import lru_cache

from eth_utils.crypto import keccak

from watchers.networks.ethereum.wire import RawLog

BITS_MASK = 2047
WORDS_REMEMBERED = 16_384
"""Some 8 MB; the words of one busy block are a few thousand, most of them in the next one too."""
NOTHING = "0x" + "00" * 256


def bloom_of(text: str) -> int:
    """Return the bits of a bloom; `ValueError` where it is no hex."""
    return 0 if text == NOTHING else int.from_bytes(bytes.fromhex(text.removeprefix("0x")))


@lru_cache(maxsize=WORDS_REMEMBERED)
def bits_of(word: str) -> int:
    """Return the three bits of one address or topic (hex)."""
    digest = keccak(bytes.fromhex(word.removeprefix("0x")))
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2]) & BITS_MASK)
    return bits


def bloom_of_logs(logs: Iterable[RawLog]) -> int:
    """Return the exact bloom of these logs."""
    bloom = 0
    for log in logs:
        bloom |= bits_of(log.address)
        for topic in log.topics:
            bloom |= bits_of(topic)
    return bloom
