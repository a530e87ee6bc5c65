"""One event on its way to one endpoint, and what an answer makes of it. Pure.

Ten attempts over 75 hours; every answer but 2xx is tried again, because shops answer 403 and
500 on passing faults. 410 says that the endpoint is gone for good.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

DELAYS_SECONDS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Wait before attempt 1, 2, ... 10."""
ATTEMPTS_MAX = len(DELAYS_SECONDS)
JITTER_PER_MILLE = 200
RETRY_AFTER_MAX = timedelta(days=1)
GONE = 410


class Delivery(msgspec.Struct, frozen=True):
    """A leased delivery with everything an attempt needs; `attempts` were made before.

    `passed` means that an older event of the same subject still waits for its retry;
    `previous_signs` that the secret before the newest one is valid still.
    """

    id: str
    endpoint_id: str
    merchant_id: str
    url: str
    secret_version: int
    previous_signs: bool
    ed25519: bool
    event_id: str
    type: str
    subject: str
    sequence: int
    livemode: bool
    attempts: int
    passed: bool
    leased_until: datetime
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True):
    """What came back: a status, or `error` in words that may be shown to the merchant."""

    milliseconds: int
    status: int | None = None
    body: str | None = None
    retry_after: timedelta | None = None
    error: str | None = None

    @property
    def accepted(self) -> bool:
        """Tell whether the receiver took the event over."""
        return self.status is not None and 200 <= self.status < 300


class Verdict(msgspec.Struct, frozen=True):
    """Where the delivery stands after an attempt; `next_attempt_at` only while `retrying`."""

    status: Literal["succeeded", "retrying", "exhausted"]
    next_attempt_at: datetime | None = None
    endpoint_gone: bool = False


class Tried(msgspec.Struct, frozen=True):
    """A delivery, what came back and when, and what follows."""

    delivery: Delivery
    answer: Answer
    at: datetime
    verdict: Verdict


def judge(
    answer: Answer, attempts: int, at: datetime, randomness: Callable[[int], bytes]
) -> Verdict:
    """Return what follows from the answer to attempt number `attempts` (from 1)."""
    if answer.accepted:
        return Verdict("succeeded")
    if answer.status == GONE:
        return Verdict("exhausted", endpoint_gone=True)
    if attempts >= ATTEMPTS_MAX:
        return Verdict("exhausted")
    wait = jittered(DELAYS_SECONDS[attempts], randomness)
    return Verdict("retrying", at + max(wait, answer.retry_after or timedelta(0)))


def jittered(seconds: int, randomness: Callable[[int], bytes]) -> timedelta:
    """Return 80 to 120 % of `seconds`, so that an outage does not end in a stampede."""
    spread = 2 * JITTER_PER_MILLE + 1
    drawn = int.from_bytes(randomness(4), "big") % spread
    return timedelta(milliseconds=seconds * (1000 - JITTER_PER_MILLE + drawn))


def retry_after(header: str | None, at: datetime) -> timedelta | None:
    """Read `Retry-After` as seconds or as an HTTP date; at most a day, nothing if unreadable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        # Nine digits are thirty years; more of them are no number of seconds.
        wait = RETRY_AFTER_MAX if len(text) > 9 else timedelta(seconds=int(text))
    else:
        moment = _http_date(text)
        if moment is None:
            return None
        wait = moment - at
    return min(max(wait, timedelta(0)), RETRY_AFTER_MAX)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
