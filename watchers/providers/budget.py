"""How many requests a node may get: a token bucket. Pure; seconds are the caller's clock."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Budget:
    """`tokens` requests were free at `at`; `per_second` more come, up to `burst`.

    `per_second` 0 is no limit. Tokens below zero are requests that wait for their turn, so
    those who come later wait longer.
    """

    per_second: float
    burst: float
    tokens: float
    at: float = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until a request that comes now may go."""
        if self.per_second <= 0:
            return 0.0
        return max(0.0, (1.0 - self._grown(now)) / self.per_second)

    def spend(self, now: float) -> "Budget":
        """Take the place of one request, which goes after `wait(now)` seconds."""
        if self.per_second <= 0:
            return self
        return replace(self, tokens=self._grown(now) - 1.0, at=max(now, self.at))

    def give_back(self) -> "Budget":
        """Return the place of a request that was never sent."""
        return replace(self, tokens=min(self.burst, self.tokens + 1.0))

    def _grown(self, now: float) -> float:
        return min(self.burst, self.tokens + max(0.0, now - self.at) * self.per_second)


def budget(per_second: float, now: float) -> Budget:
    """Return a full bucket that holds one second's requests, at least one."""
    burst = max(1.0, per_second)
    return Budget(per_second, burst, burst, now)
