"""Pure: whether a new branch is believed."""

from dataclasses import dataclass

SECONDS_BETWEEN_SIGHTINGS = 2.0


class FinalityBroken(Exception):
    """A block that was final is no longer on the chain: only a person may go on."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A branch that does not build on our last block, and when it was first seen (monotonic)."""

    height: int
    parent_hash: str
    since: float


@dataclass(slots=True)
class Hysteresis:
    """Believe a branch when the same one is seen twice, two seconds apart.

    A load balancer that flips between two nodes shows a branch once; rolling back for it would
    make invoices step back and forth.
    """

    seconds: float = SECONDS_BETWEEN_SIGHTINGS
    doubt: Doubt | None = None

    def believes(self, height: int, parent_hash: str, now: float) -> bool:
        """Record a sighting of a branch; tell whether it has stood long enough."""
        doubt = self.doubt
        if doubt is None or (doubt.height, doubt.parent_hash) != (height, parent_hash):
            self.doubt = Doubt(height, parent_hash, now)
            return self.seconds <= 0
        return now - doubt.since >= self.seconds

    def settle(self) -> None:
        """Forget the doubt: the node agrees with us again."""
        self.doubt = None
