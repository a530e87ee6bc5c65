"""The journal as a file: its tables, its chain of hashes, and how it is made and checked."""

import hashlib
import os
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from keystore.disk import require_absent, sync_directory
from keystore.entries import newest_number
from keystore.refusal import Unfit

_SCHEMA = """
create table origin (vault_id text not null) strict;
create table issued (network text primary key, below integer not null) strict;
create table entry (
    seq integer primary key,
    kind text not null check (
        kind = 'signed' or kind = 'replacement' or kind = 'refused' or kind = 'setup'
    ),
    subject text not null,
    network text not null,
    number integer,
    intent blob not null,
    grounds blob,
    rule text,
    units text,
    slot text,
    code text,
    raw blob,
    tx_hash text,
    sender text,
    at text not null,
    hash blob not null,
    check ((kind = 'refused') = (raw is null)),
    check ((kind = 'refused') = (code is not null)),
    check ((kind in ('signed', 'replacement')) = (slot is not null)),
    check ((kind in ('signed', 'replacement')) = (units is not null)),
    check ((kind in ('signed', 'replacement')) = (number is not null))
) strict;
create trigger entry_is_final before update on entry
    begin select raise(abort, 'journal rows are final'); end;
create trigger entry_stays before delete on entry
    begin select raise(abort, 'journal rows stay'); end;
"""
"""For a list of more than two kinds SQLite would make a table of its own at every row."""
_INDEXES = {
    "one_signature": "create unique index one_signature on entry (subject) where kind = 'signed'",
    "one_slot": "create unique index one_slot on entry (slot) where kind = 'signed'",
    "one_number": (
        "create unique index one_number on entry (network, number) where number is not null"
    ),
    "one_setup": "create unique index one_setup on entry (tx_hash) where kind = 'setup'",
    "by_subject": "create index by_subject on entry (subject) where kind <> 'signed'",
    "by_rule": "create index by_rule on entry (rule, at) where rule <> ''",
}
"""A payment's hash needs none: it is the hash of what took the slot, and hashes come in no order."""
_COLUMNS = (
    "seq, kind, subject, network, number, intent, grounds, rule, units, slot, code, raw, tx_hash, "
    "sender, at"
)
_INSERT = f"insert into entry values ({','.join('?' * 16)})"  # noqa: S608 question marks only


def create(path: Path, vault_id: str) -> None:
    """Make an empty journal that belongs to one keystore file."""
    require_absent(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    db = sqlite3.connect(path, isolation_level=None)
    make_durable(db)
    db.executescript(f"begin immediate; {_SCHEMA} {';'.join(_INDEXES.values())}; commit;")
    db.execute("insert into origin values (?)", (vault_id,))
    db.close()
    sync_directory(path.parent)


def copy(db: sqlite3.Connection, path: Path) -> None:
    """Write a whole and consistent copy, also while another process appends."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    target = sqlite3.connect(path)
    try:
        db.backup(target)
    finally:
        target.close()


def spelled(moment: datetime) -> str:
    """Spell UTC so that text order is time order."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")


def make_durable(db: sqlite3.Connection) -> None:
    """Write ahead, and fsync at every commit."""
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")


def index_as_today(db: sqlite3.Connection) -> None:
    """Give a journal of an older version the indexes of this one; its rows stay as they are."""
    if _indexes(db) == _INDEXES:
        return
    db.execute("begin immediate")
    try:
        found = _indexes(db)
        for name in found:
            if _INDEXES.get(name) != found[name]:
                db.execute(f'drop index "{name}"')
        for name, statement in _INDEXES.items():
            if found.get(name) != statement:
                db.execute(statement)
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")


def _indexes(db: sqlite3.Connection) -> dict[str, str]:
    # SQLite keeps the statement as it was written, but for CREATE INDEX in capitals.
    rows = db.execute(
        "select name, lower(sql) from sqlite_master where type = 'index' and sql <> ''"
    )
    return dict(rows.fetchall())


def verified_start(db: sqlite3.Connection, vault_id: str) -> bytes:
    """Return the hash that an empty chain starts from, after checking every link."""
    if db.execute("select vault_id from origin").fetchall() != [(vault_id,)]:
        raise Unfit("belongs to another keystore file")
    start = head = hashlib.sha256(b"gw/journal/v1\n" + vault_id.encode()).digest()
    rows = db.execute(f"select {_COLUMNS}, hash from entry order by seq")  # noqa: S608 constants only
    for place, row in enumerate(rows, start=1):
        head = link(head, row[:-1])
        if row[0] != place or row[-1] != head:
            raise Unfit(f"row {place} was altered")
    _require_indexed(db)
    return start


def _require_indexed(db: sqlite3.Connection) -> None:
    """Compare the indexes with the rows: the chain covers these alone, and answers use those.

    A bit flipped in one would hide what was signed for a withdrawal. `integrity_check` and not
    REINDEX: it writes nothing, and finds pages of the table that are damaged too.
    """
    (found,) = db.execute("pragma integrity_check(1)").fetchone()
    if found != "ok":
        raise Unfit(
            "is damaged: its indexes are not those of its rows; restore the newest copy"
        )


class Row(NamedTuple):
    """What a row says, in the order of its columns, without its number, time and hash."""

    kind: str
    subject: str
    network: str
    number: int | None = None
    intent: bytes = b""
    grounds: bytes | None = None
    rule: str | None = None
    units: str | None = None
    slot: str | None = None
    code: str | None = None
    raw: bytes | None = None
    tx_hash: str | None = None
    sender: str | None = None


@dataclass(slots=True)
class _End:
    """Number, hash and time of the last row, and the newest numbers that were asked for."""

    seq: int
    head: bytes
    at: str = ""
    numbers: dict[str, int] = field(default_factory=dict)


class Chain:
    """The rows' end, where the next one goes: read once, and again after `forget`.

    What it remembers holds as long as nobody else writes and nothing is undone: under the lock.
    """

    def __init__(self, db: sqlite3.Connection, start: bytes) -> None:
        self._db = db
        self._start = start
        self._known: _End | None = None

    def forget(self) -> None:
        """Look into the file before the next answer."""
        self._known = None

    def newest(self, network: str) -> int:
        """Return how many payments of a network were signed."""
        numbers = self._end().numbers
        if network not in numbers:
            numbers[network] = newest_number(self._db, network)
        return numbers[network]

    def time_after(self, clock: datetime) -> datetime:
        """Return the clock's time, or the last row's where that is later."""
        at = self._end().at
        return max(clock, datetime.fromisoformat(at)) if at else clock

    def append(self, row: Row, clock: datetime, *, back: bool = False) -> None:
        """Write a row behind the last one; with `back` its time may be an earlier one."""
        end = self._end()
        at = spelled(clock) if back else max(spelled(clock), end.at)
        told = (end.seq + 1, *row, at)
        head = link(end.head, told)
        self._db.execute(_INSERT, (*told, head))
        end.seq, end.head, end.at = end.seq + 1, head, at
        if row.number is not None:
            end.numbers[row.network] = row.number

    def _end(self) -> _End:
        if self._known is None:
            row = self._db.execute(
                "select seq, hash, at from entry order by seq desc limit 1"
            ).fetchone()
            self._known = _End(0, self._start) if row is None else _End(*row)
        return self._known


def link(previous: bytes, row: tuple[object, ...]) -> bytes:
    """Return the hash of a row behind the one before it."""
    return hashlib.sha256(previous + msgspec.json.encode(row)).digest()
