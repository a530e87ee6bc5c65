"""Blooms: 2,048 bits in which every address and topic of a log sets three (Yellow Paper 4.3.1).

A bloom never hides what was logged, so it shows logs that a node left out. It may claim what
was not logged, so only the exact bloom of a receipt's own logs proves anything against it.
"""

from binascii import unhexlify
from collections.abc import Iterable, Sequence
from functools import lru_cache

from sha3 import keccak_256

from watchers.networks.ethereum.erc20 import TRANSFER_TOPIC
from watchers.networks.ethereum.wire import RawLog

BITS_MASK = 2047
WORDS_REMEMBERED = 16_384
"""Some 8 MB; the words of one busy block are a few thousand, most of them in the next one too."""
LISTS_REMEMBERED = 16
NOTHING = "0x" + "00" * 256


def bloom_of(text: str) -> int:
    """Return the bits of a bloom; `ValueError` where it is no hex."""
    return 0 if text == NOTHING else int.from_bytes(unhexlify(text.removeprefix("0x")))


@lru_cache(maxsize=WORDS_REMEMBERED)
def bits_of(word: str) -> int:
    """Return the three bits of one address or topic (hex)."""
    digest = keccak_256(unhexlify(word.removeprefix("0x"))).digest()
    three = int.from_bytes(digest[:6])
    first, second, third = three >> 32, three >> 16, three
    return 1 << (first & BITS_MASK) | 1 << (second & BITS_MASK) | 1 << (third & BITS_MASK)


TRANSFER_BITS = bits_of(TRANSFER_TOPIC)


@lru_cache(maxsize=LISTS_REMEMBERED)
def bits_of_listed(tokens: frozenset[str]) -> Sequence[tuple[str, int]]:
    """Return each contract of a configured list with its bits."""
    return tuple((token, bits_of(token)) for token in tokens)


def bloom_of_logs(logs: Iterable[RawLog]) -> int:
    """Return the exact bloom of these logs."""
    bloom = 0
    for log in logs:
        bloom |= bits_of(log.address)
        for topic in log.topics:
            bloom |= TRANSFER_BITS if topic == TRANSFER_TOPIC else bits_of(topic)
    return bloom
