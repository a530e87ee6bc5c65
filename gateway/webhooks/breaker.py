"""Breakers: an endpoint that does not work is left alone for a while, then asked once. Pure.

What waits meanwhile keeps its attempts. A 4xx is an answer to one event and says nothing about
the next; silence, 429 and 5xx say that whoever listens there cannot take any now.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.webhooks.delivery import Answer

FAILURES_MAX = 10
"""In a row; then the breaker opens."""
REST_MIN = timedelta(seconds=30)
REST_MAX = timedelta(minutes=10)
KNOWN_MAX = 4096
"""Failing endpoints that are remembered; the oldest is forgotten first."""
_TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class _State:
    """Failures in a row; `until` is when a resting endpoint may be asked again."""

    failures: int
    rest: timedelta = timedelta(0)
    until: datetime | None = None


class Breakers:
    """One per endpoint that failed since it last worked."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def note(self, endpoint_id: str, answer: Answer, at: datetime) -> timedelta | None:
        """Take note of an answer; return the rest where one begins with it."""
        before = self._states.pop(endpoint_id, _State(0))
        if works(answer):
            return None
        state = _after_failure(before, at)
        self._states[endpoint_id] = state
        if len(self._states) > KNOWN_MAX:
            del self._states[next(iter(self._states))]
        return state.rest if state.until != before.until else None

    def forget(self, endpoint_id: str) -> None:
        """Close the breaker of an endpoint that was repaired."""
        self._states.pop(endpoint_id, None)

    def rooms(self, at: datetime) -> dict[str, int]:
        """Return how many may be under way to endpoints whose breaker is not closed: 0 or 1."""
        return {
            endpoint_id: int(state.until <= at)
            for endpoint_id, state in self._states.items()
            if state.until is not None
        }


def works(answer: Answer) -> bool:
    """Tell whether somebody is there who can take events."""
    return answer.status is not None and answer.status < 500 and answer.status != _TOO_MANY


def _after_failure(before: _State, at: datetime) -> _State:
    failures = before.failures + 1
    if failures < FAILURES_MAX:
        return _State(failures)
    if before.until is not None and at < before.until:
        return _State(failures, before.rest, before.until)  # it was under way already
    rest = min(max(before.rest * 2, REST_MIN), REST_MAX)
    return _State(failures, rest, at + rest)
