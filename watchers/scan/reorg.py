"""Pure: whether a new branch is believed, and which blocks follow one another."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchers.network import Block

SECONDS_BETWEEN_SIGHTINGS = 2.0
WITNESSES = 2


class FinalityBroken(Exception):
    """A block that was final is no longer on the chain: only a person may go on."""


@dataclass(frozen=True, slots=True)
class Votes:
    """How many providers show the new branch, and how many still build on ours."""

    new: int = 0
    ours: int = 0


@dataclass(frozen=True, slots=True)
class Doubt:
    """A block that contradicts our chain, and when it was first seen (monotonic)."""

    height: int
    hash: str
    since: float


@dataclass(slots=True)
class Hysteresis:
    """Believe a branch that two providers show, or that is seen twice, two seconds apart.

    A load balancer that flips between two nodes shows a branch once; rolling back for it would
    make invoices step back and forth. As long as no fewer providers still build on our own
    branch, nothing moves: otherwise a network that is split in two would move us at each look.
    """

    seconds: float = SECONDS_BETWEEN_SIGHTINGS
    doubt: Doubt | None = None

    def believes(self, height: int, block_hash: str, votes: Votes, now: float) -> bool:
        """Record a sighting of a branch; tell whether it is believed.

        `block_hash` names the branch: that of its lowest block which we have seen.
        """
        doubt = self.doubt
        if doubt is None or (doubt.height, doubt.hash) != (height, block_hash):
            doubt = self.doubt = Doubt(height, block_hash, now)
        if votes.ours and votes.new <= votes.ours:
            return False
        return votes.new >= WITNESSES or now - doubt.since >= self.seconds

    def settle(self) -> None:
        """Forget the doubt: the node agrees with us again."""
        self.doubt = None


def linked(parent_hash: str, blocks: Sequence[Block]) -> list[Block]:
    """Return the leading blocks that follow one another, the first one upon `parent_hash`."""
    run: list[Block] = []
    for block in blocks:
        if block.ref.parent_hash != parent_hash:
            break
        run.append(block)
        parent_hash = block.ref.hash
    return run
