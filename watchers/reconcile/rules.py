"""Chain against ledger: the decisions, pure.

Three figures of one asset speak of one final block and must be equal: what the chain shows, what
the ledger owes (custody below zero), and what our rows of arrivals and signed transactions lead
one to expect. Amounts are base units.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from watchers.reconcile.balances import Holding, Observation


class State(StrEnum):
    """Where an asset stands."""

    AGREED = "agreed"
    ACKNOWLEDGED = "acknowledged"
    DRIFTING = "drifting"


@dataclass(frozen=True, slots=True)
class Figures:
    """The three figures of one asset; what is in flight is already in `ledger`."""

    chain: int
    ledger: int
    expected: int

    @property
    def unbooked(self) -> int:
        """Return what our rows expect beyond the ledger; it may be below zero."""
        return self.expected - self.ledger


@dataclass(frozen=True, slots=True)
class Borne:
    """A drift and how much of it an operator has acknowledged."""

    units: int
    acknowledged: int


def standing(books: Borne, addresses: Sequence[Borne]) -> State:
    """Judge one asset by its books and by its drifting addresses.

    A drift that was acknowledged is borne as long as it stays what it was.
    """
    drifts = [drift for drift in (books, *addresses) if drift.units]
    if not drifts:
        return State.AGREED
    borne = all(drift.units == drift.acknowledged for drift in drifts)
    return State.ACKNOWLEDGED if borne else State.DRIFTING


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one holding at a height, from a row of ours."""

    height: int
    units: int


def known_at(moves: Iterable[Move], height: int) -> int:
    """Return what a holding should be at the end of a block."""
    return sum(move.units for move in moves if move.height <= height)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a holding should be, in units: what stood below the window, what came and went in it.

    The window holds every state that the observation may have seen; at a block of the past it
    is empty. `undecided` is set where a transaction of ours stands there whose outcome a person
    must judge.
    """

    base: int = 0
    gained: int = 0
    lost: int = 0
    undecided: bool = False

    @property
    def quiet(self) -> bool:
        """Tell whether only one value is possible."""
        return not (self.gained or self.lost or self.undecided)

    @property
    def least(self) -> int:
        """Return what is there whatever becomes of what is on its way."""
        return self.base - self.lost

    def excess(self, found: int) -> int:
        """Return how far a balance lies outside of what is possible; 0 inside."""
        most = self.base + self.gained
        return max(0, found - most) + min(0, found - self.least)


@dataclass(frozen=True, slots=True)
class Difference:
    """A holding of which `held` units were seen, which is `units` beyond what is possible."""

    holding: Holding
    held: int
    units: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What one observation showed.

    `open` are assets of which some holding moved while it was read, or could not be read.
    """

    right: Sequence[Holding]
    differences: Sequence[Difference]
    open: frozenset[str]


NOTHING = Expectation()


def compare(
    wanted: Sequence[Holding],
    observation: Observation,
    expected: Mapping[Holding, Expectation],
) -> Compared:
    """Compare an observation with what was expected of each holding."""
    right, differences, undecided = [], [], set()
    for holding in wanted:
        found = observation.units.get(holding)
        should = expected.get(holding, NOTHING)
        excess = 0 if found is None else should.excess(found)
        if (excess < 0 and not should.undecided) or (excess > 0 and should.quiet):
            differences.append(Difference(holding, found or 0, excess))
        elif found is not None and should.quiet:
            right.append(holding)
        else:
            undecided.add(holding.asset)
    return Compared(right, differences, frozenset(undecided))


async def first_wrong(low: int, high: int, wrong: Callable[[int], Awaitable[bool]]) -> int:
    """Return a height at which a holding went wrong: right just below it, wrong from it on.

    It is right at `low` and wrong at `high`; log2 of the distance questions are asked.
    """
    while high - low > 1:
        middle = (low + high) // 2
        if await wrong(middle):
            high = middle
        else:
            low = middle
    return high


def steps_back(high: int, lowest: int) -> list[int]:
    """Return heights below `high` at doubling distances, the last one being `lowest`."""
    heights, distance = [], 8
    while high - distance > lowest:
        heights.append(high - distance)
        distance *= 8
    return [*heights, lowest] if high > lowest else []


@dataclass(slots=True)
class Tally:
    """What one turn through the addresses has found."""

    drifts: dict[Holding, int] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    """Assets that moved while they were read, or that could not be read."""
    addresses: int = 0

    def drift_of(self, asset: str) -> int:
        """Return what all addresses together have beyond our rows."""
        return sum(units for holding, units in self.drifts.items() if holding.asset == asset)
