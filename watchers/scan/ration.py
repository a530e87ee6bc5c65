"""Which strays get a row of their own: decided in memory, pure.

Anybody can send worthless tokens to any address, so rows are rationed by address, day of block
time and asset: what floods an address with one token hides no other one. A transfer of at least
twice what has a row gets one beyond the ration, so that the same token in grains hides no sum.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import NamedTuple

from watchers.network import Block, Transfer

ROWS_PER_DAY = 20
"""Rows that one asset may have at one address per day; what is far larger comes on top."""
ASSETS_PER_DAY = 1_000
"""Assets that are told apart at one address per day; of the rest there is one number."""
THE_REST = ""
"""The asset under which it stands."""

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
        return self.rows < ROWS_PER_DAY or units >= 2 * self.largest

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
    sightings: Iterable[Sighting], before: Mapping[Ration, Count], assets: Mapping[Place, int]
) -> tuple[list[Sighting], dict[Ration, Count]]:
    """Choose the sightings that get a row; return them, and what these sightings add.

    `before` is what stands already of their rations, `assets` how many of each place there are.
    """
    chosen: list[Sighting] = []
    standing = {ration: Count(each.rows, each.largest) for ration, each in before.items()}
    told_apart = dict(assets)
    added: dict[Ration, Count] = {}
    for sighting in sightings:
        ration, units = ration_of(sighting), sighting[1].units
        if ration not in standing:
            if told_apart.get(ration.place, 0) >= ASSETS_PER_DAY:
                added.setdefault(Ration(ration.place, THE_REST), Count()).drop(units)
                continue
            told_apart[ration.place] = told_apart.get(ration.place, 0) + 1
        count, new = standing.setdefault(ration, Count()), added.setdefault(ration, Count())
        if count.takes(units):
            count.keep(units)
            new.keep(units)
            chosen.append(sighting)
        else:
            new.drop(units)
    return chosen, added
