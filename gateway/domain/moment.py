"""Now, and the ids that are made now: handed in, so that rules stay repeatable."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS, _TIME_DIGITS = 26, 10
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


def made_at(id_: str) -> datetime | None:
    """Return when an id was made, as `Moment.id` writes it; None for one that does not say."""
    digits = id_.rpartition("_")[2]
    if len(digits) != _DIGITS or not set(digits) <= set(CROCKFORD):
        return None
    milliseconds = 0
    for digit in digits[:_TIME_DIGITS]:
        milliseconds = milliseconds << 5 | CROCKFORD.index(digit)
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
