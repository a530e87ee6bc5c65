"""A file of `watchers export`, line by line: what in it this keystore signed, and what it did not.

A line is a signed transaction in the shape of `history`, or pool rows in the shape of `keystore pool`.
Nothing of it is believed before `keystore.proving` has made it again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from keystore import api
from keystore.proving import Proved, Prover
from keystore.refusal import Refused, Unfit
from keystore.shapes import Wire
from keystore.wire import BRACKETS_MAX


class _Line(Wire, frozen=True):
    """One line of a file: when it was made and of what, pool rows, or a signed transaction."""

    exported_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    network: str = ""
    rows: tuple[api.PoolRow, ...] = ()
    intent: api.Intent | None = None
    signed: api.Signed | None = None


@dataclass(slots=True)
class Found:
    """What the files hold, each with its place, and what in them was never this keystore's."""

    signed: list[tuple[str, Proved]] = field(default_factory=list)
    issued: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Indexes of pool rows, by network."""
    faults: list[str] = field(default_factory=list)


def read(files: Iterable[Path], prover: Prover) -> Found:
    """Read and prove every line; raise `Unfit` where there is nothing to merge in any."""
    found = Found()
    for file in files:
        for place, line in _lines(file):
            try:
                _take_up(_decoded(line), place, prover, found)
            except Refused as refusal:
                found.faults.append(f"{place}: {refusal.code}: {refusal}")
    if not (found.signed or found.issued or found.faults):
        raise Unfit("merge: nothing in these files was signed")
    found.signed.sort(key=lambda each: _order(each[1]))
    return found


def _lines(file: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with file.open("rb") as opened:
            number = 0
            while line := opened.readline(api.LINE_BYTES_MAX + 1):
                number += 1
                if line.strip():
                    yield f"{file}:{number}", line
    except OSError as trouble:
        raise Unfit(f"{file}: {trouble.strerror}") from trouble


def _decoded(line: bytes) -> _Line:
    if len(line) > api.LINE_BYTES_MAX or line.count(b"{") + line.count(b"[") > BRACKETS_MAX:
        raise Refused("malformed", "not a line of an export")
    try:
        return msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Refused("malformed", "not a line of an export") from fault


def _take_up(line: _Line, place: str, prover: Prover, found: Found) -> None:
    for row in map(prover.proved_row, line.rows):
        found.issued[row.network].append(row.index)
    if (line.intent is None) != (line.signed is None):
        raise Refused("malformed", "an intent without its bytes, or bytes without their intent")
    if line.intent is not None and line.signed is not None:
        told = api.Remembered(intent=line.intent, signed=line.signed)
        found.signed.append((place, prover.proved(told)))


def _order(each: Proved) -> tuple[str, bool, int]:
    """Sort by number, so that a payment comes before what replaces it; without one last."""
    number = each.answer.number
    return each.intent.network, number == 0, number
