"""The drill: every address that payers may know can be derived again, or we hear which not.

It needs an export of signed pool rows, and either the 24 words of the pool's seed, on a machine
that has nothing else of ours, or a backup (`keystore.backup`).
"""

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from keystore import api, sealing
from keystore.derivation import Leaf, family_of_path, leaves, seed_of
from keystore.refusal import Unfit
from keystore.shapes import Wire
from keystore.words import entropy_of

STANDARD_INPUT = Path("-")


class _Line(Wire, frozen=True):
    """One line of an export: when it was made, or rows as `keystore pool` prints them."""

    exported_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    rows: tuple[api.PoolRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """Pool rows as they were exported, and when, by the export's own word; None: it does not say."""

    rows: list[api.PoolRow]
    made_at: datetime | None

    @property
    def by_network(self) -> Counter[str]:
        """How many rows each network has."""
        return Counter(row.network for row in self.rows)


def read_export(file: Path) -> Export:
    """Read what `keystore pool` or `gateway admin export-pool` printed, one answer a line.

    A copied file is as young as its copy: the first line of `export-pool` says when it was made.
    """
    try:
        lines = file.read_text().splitlines()
        answers = [msgspec.json.decode(line, type=_Line) for line in lines if line]
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as fault:
        raise Unfit(f"--pool: {file} is not an export of pool rows: {fault}") from fault
    rows = [row for answer in answers for row in answer.rows]
    if not rows:
        raise Unfit(f"--pool: {file} holds no rows: a drill over nothing shows nothing")
    made = [each.exported_at for each in answers if each.exported_at is not None]
    return Export(rows, min(made, default=None))


def wrong_by_words(file: Path, rows: list[api.PoolRow]) -> tuple[str, ...]:
    """Derive every row from words alone; return `network/index` of those that differ.

    `file` holds the words, `-` is standard input. A row's own path says how it was derived;
    whether the keystore signed it is the gateway's question, and needs another key.
    """
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise Unfit(f"--words: {file} cannot be read") from fault
    entropy = entropy_of(text, "--words")
    seed = seed_of(entropy)
    try:
        return tuple(differing(rows, lambda run: _derived(seed, run)))
    finally:
        sealing.wipe(entropy)
        sealing.wipe(seed)


def differing(
    rows: Iterable[api.PoolRow],
    again: Callable[[list[api.PoolRow]], Iterable[tuple[api.PoolRow, bool]]],
) -> Iterator[str]:
    """Yield `network/index` of every row that `again`, given a run of them, does not find."""
    for run in runs(rows):
        for row, same in again(run):
            if not same:
                yield f"{row.network}/{row.index}"


def runs(rows: Iterable[api.PoolRow]) -> Iterator[list[api.PoolRow]]:
    """Yield rows of one network and one kind of path with consecutive indexes.

    The nodes above a run are derived once.
    """
    ordered = sorted(rows, key=lambda row: (row.network, row.index))
    kinds = (
        (row.network, family_of_path(row.path, row.index), row.index - place)
        for place, row in enumerate(ordered)
    )
    paired = zip(kinds, ordered, strict=True)
    for _, run in itertools.groupby(paired, key=lambda pair: pair[0]):
        yield [row for _, row in run]


def _derived(seed: bytearray, run: list[api.PoolRow]) -> Iterator[tuple[api.PoolRow, bool]]:
    family = family_of_path(run[0].path, run[0].index)
    if family is None:
        yield from ((row, False) for row in run)
        return
    for row, place in zip(run, leaves(seed, family, run[0].index, len(run)), strict=True):
        yield row, _is(place, row)


def _is(place: Leaf, row: api.PoolRow) -> bool:
    return (place.address, place.path) == (row.address, row.path)
