"""One message on its way to one person, and what an answer makes of it. Pure.

Ten attempts within a day; a recipient that is refused for good is not asked again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

DELAYS_SECONDS = (0, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 36_000)
"""Wait before attempt 1, 2, ... 10."""
ATTEMPTS_MAX = len(DELAYS_SECONDS)


@dataclass(frozen=True, slots=True)
class Letter:
    """A leased message; `attempts` counts this one. `target` is an opened service address.

    Without a body it was sealed under a key that is not ours.
    """

    id: str
    merchant_id: str | None
    kind: str
    recipient: str
    subject: str
    body: str | None
    attempts: int
    leased_until: datetime
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt, in words that may be shown to the merchant."""

    kind: Literal["accepted", "later", "refused"]
    words: str | None = None


ACCEPTED = Outcome("accepted")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where the message stands; `next_attempt_at` only while `retrying`."""

    status: Literal["sent", "retrying", "failed"]
    next_attempt_at: datetime | None = None


def judge(outcome: Outcome, attempts: int, at: datetime) -> Verdict:
    """Return what follows from the outcome of attempt number `attempts` (from 1)."""
    if outcome.kind == "accepted":
        return Verdict("sent")
    if outcome.kind == "refused" or attempts >= ATTEMPTS_MAX:
        return Verdict("failed")
    return Verdict("retrying", at + timedelta(seconds=DELAYS_SECONDS[attempts]))
