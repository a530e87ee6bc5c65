"""When a node is asked again after trouble: a circuit breaker. Pure; seconds are the caller's clock.

An open breaker is a bench, not a wall: where every node is benched, the caller may ask the one
that comes off first. Only a node that said when to come back (`held_until`) is left alone until
then whatever happens.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

PAUSE_SECONDS_FIRST = 0.5
PAUSE_SECONDS_MAX = 60.0
RETRY_AFTER_SECONDS_MAX = 300.0
"""A node's word about its own pause is good for five minutes."""
_DOUBLINGS_MAX = 10


class State(StrEnum):
    """Closed: in use. Open: on the bench. Half-open: back, but its next answers are a trial."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """`failures` counts until two answers in a row were of use.

    One is not enough: an answer that the caller then finds worthless would start the pauses from
    anew each time. `opened_at` is when it last opened; what had begun before then says nothing
    about the time after it.
    """

    failures: int = 0
    opened_at: float = 0.0
    benched_until: float = 0.0
    held_until: float = 0.0
    on_trial: bool = False

    def state(self, now: float) -> State:
        """Return where the breaker stands."""
        if now < max(self.benched_until, self.held_until):
            return State.OPEN
        return State.HALF_OPEN if self.failures else State.CLOSED

    def held(self, now: float) -> bool:
        """Tell whether the node itself asked to be left alone."""
        return now < self.held_until

    def failed(self, now: float, began: float) -> "Breaker":
        """Open for twice as long as the last time; `began` is when the exchange started.

        Of several exchanges that a dead node takes with it, one counts.
        """
        if self.failures and began < self.opened_at:
            return self
        doublings = min(self.failures, _DOUBLINGS_MAX)
        pause = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_FIRST * 2**doublings)
        return replace(
            self,
            failures=self.failures + 1,
            opened_at=now,
            benched_until=now + pause,
            on_trial=True,
        )

    def throttled(self, now: float, began: float, retry_after: float | None) -> "Breaker":
        """Open because the node has too much to do; it may say for how many seconds."""
        opened = self.failed(now, began)
        asked = opened.benched_until - now if retry_after is None else retry_after
        until = now + min(RETRY_AFTER_SECONDS_MAX, max(0.0, asked))
        return replace(opened, held_until=max(self.held_until, until))

    def succeeded(self, began: float) -> "Breaker":
        """Close after the second answer in a row; what began before the trouble does not count."""
        if not self.failures or began < self.opened_at:
            return self
        if self.on_trial:
            return replace(self, on_trial=False)
        return Breaker()
