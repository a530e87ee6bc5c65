"""What an answer makes of a delivery: the schedule, its jitter, and what the receiver asks for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.webhooks.delivery import (
    ATTEMPTS_MAX,
    DELAYS_SECONDS,
    Answer,
    jittered,
    judge,
    retry_after,
)

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
FAILED = Answer(12, status=500)


def draw(number: int) -> Callable[[int], bytes]:
    """Return randomness that always draws the same number."""
    return lambda size: number.to_bytes(size, "big")


MIDDLE = draw(200)


def test_ten_attempts_spread_over_three_days() -> None:
    """Waits are the schedule's own when the jitter is in the middle."""
    waits = []
    for attempt in range(1, ATTEMPTS_MAX):
        at = judge(FAILED, attempt, NOW, MIDDLE).next_attempt_at
        assert at is not None
        waits.append((at - NOW).total_seconds())
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert sum(DELAYS_SECONDS) == 75 * 3600 + 35 * 60 + 5


@pytest.mark.parametrize("answer", [FAILED, Answer(1, error="no answer in time")])
def test_the_tenth_failure_is_the_last(answer: Answer) -> None:
    """The ninth is tried again, the tenth is exhausted."""
    assert judge(answer, 9, NOW, MIDDLE).status == "retrying"
    last = judge(answer, 10, NOW, MIDDLE)
    assert (last.status, last.next_attempt_at) == ("exhausted", None)


def test_jitter_stays_within_a_fifth() -> None:
    """Whatever is drawn, 80 to 120 % of the wait come out."""
    waits = {jittered(300, draw(number)) for number in range(0, 2**32, 2**32 // 9973)}
    assert len(waits) > 300
    assert all(timedelta(seconds=240) <= wait <= timedelta(seconds=360) for wait in waits)


def test_jitter_reaches_both_ends() -> None:
    """The lowest and the highest draw are the bounds."""
    assert jittered(300, draw(0)) == timedelta(seconds=240)
    assert jittered(300, draw(400)) == timedelta(seconds=360)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    """The body does not matter."""
    assert judge(Answer(1, status=status), 1, NOW, MIDDLE).status == "succeeded"


@pytest.mark.parametrize("status", [199, 301, 302, 307, 400, 401, 403, 404, 409, 422, 429, 503])
def test_everything_else_is_tried_again(status: int) -> None:
    """Shops answer 403 and 404 on passing faults, and a redirect is no receipt."""
    verdict = judge(Answer(1, status=status), 1, NOW, MIDDLE)
    assert (verdict.status, verdict.endpoint_gone) == ("retrying", False)


def test_410_ends_the_endpoint() -> None:
    """Gone is gone, at the first attempt."""
    verdict = judge(Answer(1, status=410), 1, NOW, MIDDLE)
    assert (verdict.status, verdict.endpoint_gone) == ("exhausted", True)


def test_retry_after_puts_the_next_attempt_off() -> None:
    """The longer of the two waits counts."""
    patient = Answer(1, status=429, retry_after=timedelta(seconds=120))
    assert judge(patient, 1, NOW, MIDDLE).next_attempt_at == NOW + timedelta(seconds=120)
    assert judge(patient, 2, NOW, MIDDLE).next_attempt_at == NOW + timedelta(seconds=300)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("Fri, 20 Nov 2026 14:02:00 GMT", 120),
        ("Fri, 20 Nov 2026 13:00:00 GMT", 0),
        ("86401", 86400),
        ("9" * 5000, 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(header: str, seconds: int) -> None:
    """Seconds or a date; never the past, never more than a day."""
    assert retry_after(header, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "١٢", "99:99", "\x00"])
def test_an_unreadable_retry_after_is_ignored(header: str | None) -> None:
    """Whatever a stranger writes there, it never fails."""
    assert retry_after(header, NOW) is None
