"""What a journal has lost, taken in again from the copies that the gateway's rows keep.

A file of `watchers export` holds signed transactions as `history` shows them. Each is proved
(`keystore.proving`) and becomes a row of the journal: its withdrawal has its intent again, and its
slot is taken. A merge only adds, and what it adds only forbids: what was refused before it is
signed after it where it was signed once already, or takes such a one back. All goes in, in one
transaction, or nothing where two entries cannot both be true.
"""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from keystore import disk, entries, journal_file, merged, networks, once
from keystore.exported import Found
from keystore.journal import Journal
from keystore.journal_file import Chain, Row
from keystore.proving import Proved
from keystore.refusal import Refused, Unfit
from keystore.spending import read_intent

MISSING_SHOWN = 10
ROWS_APART_MAX = 1_000
"""Pool rows of an export lie closer (`watchers export`): one alone far ahead was never issued."""
GAP_MAX = 10_000
"""So many numbers in a row may be lost; one further ahead was made up, unless a person says more."""


@dataclass(slots=True)
class Outcome:
    """What a merge did, or would have done without its `faults`."""

    known: int = 0
    """Transactions that the journal had already."""
    added: Counter[str] = field(default_factory=Counter)
    """New ones by network."""
    newest: dict[str, int] = field(default_factory=dict)
    """The journal's highest number, by network."""
    missing: dict[str, list[int]] = field(default_factory=dict)
    """Numbers between the journal's newest and the highest that no file holds, the first few."""
    absent: dict[str, int] = field(default_factory=dict)
    """How many they are."""
    issued: dict[str, int] = field(default_factory=dict)
    """The index below which pool rows count as issued now, where that rose."""
    faults: list[str] = field(default_factory=list)
    """What cannot be true, each with its place."""

    def must_not(self, *, gaps: bool) -> bool:
        """Tell whether nothing may be written."""
        return bool(self.faults or (self.missing and not gaps))


def merge(
    path: Path,
    vault_id: str,
    found: Found,
    clock: Callable[[], datetime],
    *,
    gaps: bool,
    gap_max: int = GAP_MAX,
) -> Outcome:
    """Append what the journal lacks; write nothing where the outcome says it must not be.

    With `gaps` numbers may be missing, `gap_max` in a row: what they stood for the journal will not
    know, and the next one goes on from the highest. The caller holds the keystore's lock. Raises `Unfit` for a journal that is none.
    """
    outcome = Outcome(faults=list(found.faults))
    with _written(path, vault_id, clock) as (db, chain):
        touched = {each.intent.network for _, each in found.signed}
        before = {network: entries.newest_number(db, network) for network in touched}
        for place, each in found.signed:
            try:
                new = _take_in(db, chain, each, clock(), gap_max)
            except Refused as refusal:
                outcome.faults.append(f"{place}: {refusal.code}: {refusal}")
                continue
            outcome.added[each.intent.network] += new
            outcome.known += not new
        for network, indexes in found.issued.items():
            _issue(db, network, indexes, outcome)
        for network in sorted(touched):
            newest = outcome.newest[network] = entries.newest_number(db, network)
            if missing := _missing(db, network, before[network], newest):
                outcome.missing[network] = missing
                outcome.absent[network] = _absent(db, network, before[network], newest)
        if outcome.must_not(gaps=gaps):
            db.execute("rollback")
    return outcome


def begin(
    path: Path,
    vault_id: str,
    found: Found,
    clock: Callable[[], datetime],
    *,
    gaps: bool,
    gap_max: int = GAP_MAX,
) -> Outcome:
    """Merge into a new journal in the place of one that is lost; it gets its name when it is whole.

    Logs that SQLite kept beside the lost one are in the way too: it would read them into this one.
    """
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        disk.require_absent(path.with_name(name))
    disk.require_folder(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        Journal.create(fresh, vault_id)
        outcome = merge(fresh, vault_id, found, clock, gaps=gaps, gap_max=gap_max)
        if not outcome.must_not(gaps=gaps):
            disk.create(path, _in_one(fresh, vault_id, clock))
    return outcome


def _in_one(path: Path, vault_id: str, clock: Callable[[], datetime]) -> bytes:
    """Return a journal as one file: what was committed may stand in the log beside it."""
    whole = path.with_name("whole")
    try:
        with closing(Journal.open(path, vault_id, clock)) as journal:
            journal.copy_to(whole)
    except sqlite3.DatabaseError as fault:
        raise Unfit(f"journal: {path}: {fault}; nothing was added") from fault
    return whole.read_bytes()


@contextmanager
def _written(
    path: Path, vault_id: str, clock: Callable[[], datetime]
) -> Iterator[tuple[sqlite3.Connection, Chain]]:
    """Yield a checked journal within one transaction, and commit that unless it was undone."""
    Journal.open(path, vault_id, clock).close()
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as db:
            journal_file.make_durable(db)
            db.execute("begin immediate")
            yield db, Chain(db, journal_file.verified_start(db, vault_id))
            if db.in_transaction:
                db.execute("commit")
    except sqlite3.DatabaseError as fault:
        raise Unfit(f"journal: {path}: {fault}; nothing was added") from fault


def _take_in(
    db: sqlite3.Connection, chain: Chain, each: Proved, at: datetime, gap_max: int
) -> bool:
    """Append a transaction; False where it is there. Raise `Refused` where it cannot be true."""
    order, network = each.intent.withdrawal_id, each.intent.network
    taken = entries.signed_for(db, order)
    for row in taken:
        if row.intent == each.canonical:
            _require_number(row.number, each)
            return False
    once.recalled(
        taken,
        order,
        each.canonical,
        lambda old: networks.replaces(each.intent, read_intent(old)),
    )
    once.require_free(each.slot, entries.holder(db, each.slot), order, taken)
    if not taken and each.kind == "cancel":
        raise Refused("nothing_to_cancel", f"{order}: what this takes back is not there")
    newest = entries.newest_number(db, network)
    number = each.answer.number or newest + 1
    _require_near(number, newest, gap_max)
    _require_unused(db, network, number)
    chain.append(
        Row(
            kind="replacement" if taken else "signed",
            subject=order,
            network=network,
            number=number,
            intent=each.canonical,
            rule=taken[0].rule if taken else merged.mark(each.kind),
            units="0" if taken else str(each.units),
            slot=each.slot,
            raw=each.answer.raw,
            tx_hash=each.answer.tx_hash,
            sender=each.answer.sender,
        ),
        at,
    )
    return True


def _issue(db: sqlite3.Connection, network: str, indexes: list[int], outcome: Outcome) -> None:
    """Never make again what is issued; whoever asks for rows gets any, so one proves no others."""
    before = below = entries.issued(db, network)
    for index in sorted(indexes):
        if index - below >= ROWS_APART_MAX:
            outcome.faults.append(
                f"{network}: bad_range: rows: {index} is here, and none of the "
                f"{ROWS_APART_MAX} below it"
            )
            return
        below = max(below, index + 1)
    if below > before:
        entries.issue(db, network, below)
        outcome.issued[network] = below


def _require_number(known: int, each: Proved) -> None:
    if each.answer.number not in {0, known}:
        raise Refused(
            "number_taken",
            f"{each.intent.withdrawal_id}: number {known} in the journal, not {each.answer.number}",
        )


def _require_near(number: int, newest: int, gap_max: int) -> None:
    if (gap := number - newest - 1) > gap_max:
        raise Refused(
            "bad_range",
            f"number: {number} is here, and none of the {gap} below it; more than {gap_max} in a "
            "row are not taken for lost (--gap-max)",
        )


def _require_unused(db: sqlite3.Connection, network: str, number: int) -> None:
    for intent, answer in entries.history(db, network, number - 1, 1):
        if answer.number == number:
            owner = read_intent(intent).withdrawal_id
            raise Refused(
                "number_taken", f"number: {number} is {owner}, signed as {answer.tx_hash}"
            )


def _missing(db: sqlite3.Connection, network: str, after: int, newest: int) -> list[int]:
    """Return the first numbers above `after` that no row has."""
    rows = db.execute(
        "select number from entry where network = ? and number > ? order by number",
        (network, after),
    )
    present = {number for (number,) in rows}
    absent = (number for number in range(after + 1, newest) if number not in present)
    return list(islice(absent, MISSING_SHOWN))


def _absent(db: sqlite3.Connection, network: str, after: int, newest: int) -> int:
    """Return how many numbers above `after` no row has."""
    query = "select count(*) from entry where network = ? and number > ?"
    (present,) = db.execute(query, (network, after)).fetchone()
    return newest - after - int(present)
