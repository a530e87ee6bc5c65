"""Which strays get a row of their own: decided in memory, pure.

Anybody can send worthless tokens to any address, so rows are rationed by address, day of block
time and asset: what floods an address with one token hides no other one. A transfer of at least
twice what has a row gets one beyond the ration, so that the same token in grains hides no sum.

Tokens cost nothing to make either, so an address has a ceiling. The last rows below it are for
the network's own assets, which are worth something, and those before them for tokens that have
no row yet: many tokens in many amounts leave room for one more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date
from typing import NamedTuple

from watchers.network import Block, Transfer

ROWS_PER_DAY = 20
"""Rows that one asset may have at one address per day; what is far larger comes on top."""
LARGER_PER_DAY = 20
"""Rows that come on top, each for at least twice the largest amount before it."""
ROWS_PER_PLACE = 2_000
"""Rows that one address may have per day, whatever comes."""
UNLISTED_PER_PLACE = 1_500
"""With so many there is room for listed assets alone."""
REPEATED_PER_PLACE = 1_000
"""With so many an unlisted asset gets its first row alone."""
THE_REST = ""
"""The asset under which unlisted ones without any row are one number."""

Sighting = tuple[Block, Transfer]


class Place(NamedTuple):
    """An address and a day of block time."""

    address: str
    day: date


class Ration(NamedTuple):
    """Whose rows a sighting counts against."""

    place: Place
    asset: str


@dataclass(slots=True)
class Count:
    """Strays of one ration: those with a row and the largest of them, and the others."""

    rows: int = 0
    largest: int = 0
    dropped: int = 0
    dropped_units: int = 0

    def takes(self, units: int) -> bool:
        """Tell whether a stray of so many units gets a row."""
        larger = self.rows < ROWS_PER_DAY + LARGER_PER_DAY and units >= 2 * self.largest
        return self.rows < ROWS_PER_DAY or larger

    def keep(self, units: int) -> None:
        """Count one that has a row."""
        self.rows, self.largest = self.rows + 1, max(self.largest, units)

    def drop(self, units: int) -> None:
        """Count one that has none."""
        self.dropped, self.dropped_units = self.dropped + 1, self.dropped_units + units


def ration_of(sighting: Sighting) -> Ration:
    """Return whose ration a sighting counts against."""
    block, transfer = sighting
    day = block.ref.time.astimezone(UTC).date()
    return Ration(Place(transfer.recipient, day), transfer.asset)


def rationed(
    sightings: Iterable[Sighting],
    before: Mapping[Ration, Count],
    rows: Mapping[Place, int],
    listed: AbstractSet[str],
) -> tuple[list[Sighting], dict[Ration, Count]]:
    """Choose the sightings that get a row; return them, and what these sightings add.

    `before` is what stands already of their rations, `rows` how many each place has, `listed` the
    assets of the network.
    """
    chosen: list[Sighting] = []
    standing = {ration: Count(each.rows, each.largest) for ration, each in before.items()}
    taken = Counter(rows)
    added: dict[Ration, Count] = {}
    for sighting in sightings:
        ration, units = ration_of(sighting), sighting[1].units
        known, count = ration.asset in listed, standing.get(ration, Count())
        if count.takes(units) and taken[ration.place] < ceiling(
            listed=known, first=not count.rows
        ):
            count.keep(units)
            standing[ration] = count
            taken[ration.place] += 1
            added.setdefault(ration, Count()).keep(units)
            chosen.append(sighting)
        else:
            apart = known or ration in standing
            told = ration if apart else Ration(ration.place, THE_REST)
            added.setdefault(told, Count()).drop(units)
    return chosen, added


def ceiling(*, listed: bool, first: bool) -> int:
    """Return how many rows a place may have before an asset's row, its first or a further one."""
    if listed:
        return ROWS_PER_PLACE
    return UNLISTED_PER_PLACE if first else REPEATED_PER_PLACE
