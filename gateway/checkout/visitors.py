"""How often one address looks at payers' pages: anybody may, and nobody so often that others wait.

Each process counts its own minute in memory. Who comes from no public address is a machine of the
house, or a proxy that `api.trusted_proxies` does not name: behind it are all payers, so it is let in.
"""

from collections import Counter
from datetime import datetime

from gateway.domain.errors import TooMany
from gateway.domain.places import is_from_outside, place_of

MINUTE_SECONDS = 60
PLACES_MAX = 100_000
"""Of more in one minute the process remembers none: what they cost, they cost together."""


class Visitors:
    """The visitors of this minute; 0 `per_minute` counts nobody."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._minute = 0
        self._seen: Counter[str] = Counter()

    def admit(self, address: str | None, at: datetime) -> None:
        """Count a visit; raise `TooMany` where there were enough from there in this minute."""
        if not self._per_minute or not is_from_outside(address):
            return
        seconds = int(at.timestamp())
        if (minute := seconds // MINUTE_SECONDS) != self._minute:
            self._minute = minute
            self._seen.clear()
        place = place_of(address)
        if len(self._seen) < PLACES_MAX or place in self._seen:
            self._seen[place] += 1
        if self._seen[place] > self._per_minute:
            raise TooMany(
                f"these pages can be asked for {self._per_minute} times a minute",
                retry_after_seconds=MINUTE_SECONDS - seconds % MINUTE_SECONDS,
            )
