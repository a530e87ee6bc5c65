"""Now, and the ids that are made now: handed in, so that rules stay repeatable."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in CROCKFORD for second in CROCKFORD]


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant of one process. `randomness(n)` returns n fresh bytes."""

    at: datetime
    randomness: Callable[[int], bytes]

    def id(self, prefix: str) -> str:
        """Return a new id such as `inv_01k9...`, sortable by time to the millisecond (ULID)."""
        return f"{prefix}_{ulid(self.at, self.randomness(10))}"


def ulid(at: datetime, randomness: bytes) -> str:
    """Return 26 lower-case Crockford digits: 48 bits of milliseconds, 80 bits of `randomness`."""
    number = (int(at.timestamp() * 1000) << 80) | int.from_bytes(randomness, "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])
