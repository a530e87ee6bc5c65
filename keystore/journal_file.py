"""The journal as a file: its tables, its chain of hashes, and how it is made and checked."""

import hashlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from keystore.disk import require_absent, sync_directory
from keystore.refusal import Unfit

_SCHEMA = """
create table origin (vault_id text not null) strict;
create table issued (network text primary key, below integer not null) strict;
create table entry (
    seq integer primary key,
    kind text not null check (kind in ('signed', 'replacement', 'refused', 'setup')),
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
create unique index one_signature on entry (subject) where kind = 'signed';
create unique index one_slot on entry (slot) where kind = 'signed';
create unique index one_number on entry (network, number) where number is not null;
create unique index one_transaction on entry (tx_hash) where raw is not null;
create index by_subject on entry (subject) where kind <> 'signed';
create index by_rule on entry (rule, at) where rule <> '';
create trigger entry_is_final before update on entry
    begin select raise(abort, 'journal rows are final'); end;
create trigger entry_stays before delete on entry
    begin select raise(abort, 'journal rows stay'); end;
"""
_COLUMNS = (
    "seq, kind, subject, network, number, intent, grounds, rule, units, slot, code, raw, tx_hash, "
    "sender, at"
)


def create(path: Path, vault_id: str) -> None:
    """Make an empty journal that belongs to one keystore file."""
    require_absent(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    db = sqlite3.connect(path, isolation_level=None)
    make_durable(db)
    db.executescript(f"begin immediate; {_SCHEMA} commit;")
    db.execute("insert into origin values (?)", (vault_id,))
    db.close()
    sync_directory(path.parent)


def spelled(moment: datetime) -> str:
    """Spell UTC so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def make_durable(db: sqlite3.Connection) -> None:
    """Write ahead, and fsync at every commit."""
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")


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
    return start


class Tail(NamedTuple):
    """Number, hash and time of the last row."""

    seq: int
    head: bytes
    at: str


def tail(db: sqlite3.Connection) -> Tail | None:
    """Return where the chain ends; None where it has no row."""
    row = db.execute("select seq, hash, at from entry order by seq desc limit 1").fetchone()
    return None if row is None else Tail(*row)


def link(previous: bytes, row: tuple[object, ...]) -> bytes:
    """Return the hash of a row behind the one before it."""
    return hashlib.sha256(previous + msgspec.json.encode(row)).digest()
