"""Rows of the journal: what they say, and the questions that have an index."""

import sqlite3
from typing import NamedTuple

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """Signed bytes, their hash as the chain writes it, and the paying address.

    `number` counts the payments of a network from 1; the journal gives it.
    """

    raw: bytes
    tx_hash: str
    sender: str
    number: int = 0


class Ground(msgspec.Struct, frozen=True):
    """Why something was signed: the rule, its base units, and the approvals as they came.

    `rule` is empty on a test network without a policy.
    """

    rule: str
    units: int
    proof: bytes | None = None


class Taken(NamedTuple):
    """One transaction that was signed for a withdrawal, in the slot that is the withdrawal's."""

    seq: int
    intent: bytes
    slot: str
    rule: str | None
    units: str
    proof: bytes | None
    raw: bytes
    tx_hash: str
    sender: str
    number: int

    @property
    def answer(self) -> Answer:
        """What was given for it."""
        return Answer(self.raw, self.tx_hash, self.sender, self.number)

    @property
    def ground(self) -> Ground:
        """Why it was signed."""
        return Ground(self.rule or "", int(self.units), self.proof)


class LetGo(NamedTuple):
    """What a rule let go: `slot` is a transaction's hash for what is in no slot.

    `units` is empty for what takes nothing from a window: a nonce account's creation.
    """

    seq: int
    at: str
    kind: str
    slot: str
    units: str | None
    intent: bytes


_TAKEN = (
    "select seq, intent, slot, rule, units, grounds, raw, tx_hash, sender, number from entry"
)
_SIGNED_FOR = (
    f"{_TAKEN} where kind = 'signed' and subject = ? "
    f"union all {_TAKEN} where kind <> 'signed' and subject = ? and number is not null"
)
"""In no order, for which SQLite would make a table of its own: nearly always nothing is found."""
_LET_GO = (
    "select seq, at, kind, coalesce(slot, tx_hash), units, intent from entry "
    "where rule <> '' and rule = ? and at >= ? and seq > ?"
)


def signed_for(db: sqlite3.Connection, withdrawal_id: str) -> list[Taken]:
    """Return every transaction of a withdrawal: the payment, then what replaces it."""
    rows = db.execute(_SIGNED_FOR, (withdrawal_id, withdrawal_id)).fetchall()
    return [Taken(*row) for row in sorted(rows)] if rows else rows


class Signed:
    """What was signed for a withdrawal, asked before its signature and again under the lock.

    The second time it is not looked up where nothing came between: `forget` is called when
    something may have, and an answer holds for one signature, which adds to it.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._newest: tuple[str, list[Taken]] | None = None

    def asked(self, withdrawal_id: str) -> list[Taken]:
        """Look into the file."""
        self._newest = withdrawal_id, signed_for(self._db, withdrawal_id)
        return self._newest[1]

    def still(self, withdrawal_id: str) -> list[Taken]:
        """Return the last answer where it was about this one; under the lock only."""
        newest, self._newest = self._newest, None
        if newest is not None and newest[0] == withdrawal_id:
            return newest[1]
        return signed_for(self._db, withdrawal_id)

    def forget(self) -> None:
        """Look into the file before the next answer."""
        self._newest = None


def holder(db: sqlite3.Connection, slot: str) -> str | None:
    """Return the withdrawal whose slot this is."""
    row = db.execute(
        "select subject from entry where kind = 'signed' and slot = ?", (slot,)
    ).fetchone()
    return None if row is None else str(row[0])


def signatures(db: sqlite3.Connection) -> int:
    """Return how many payments were signed."""
    row = db.execute("select count(*) from entry where kind = 'signed'").fetchone()
    return int(row[0])


def issued(db: sqlite3.Connection, network: str) -> int:
    """Return the index below which pool rows of a network have been issued."""
    row = db.execute("select below from issued where network = ?", (network,)).fetchone()
    return 0 if row is None else int(row[0])


def issue(db: sqlite3.Connection, network: str, below: int) -> None:
    """Remember that the pool rows of a network below this index have been issued."""
    db.execute(
        "insert into issued values (?, ?) on conflict (network) "
        "do update set below = max(below, excluded.below)",
        (network, below),
    )


def newest_number(db: sqlite3.Connection, network: str) -> int:
    """Return how many payments of a network were signed."""
    row = db.execute(
        "select max(number) from entry where network = ? and number is not null", (network,)
    ).fetchone()
    return row[0] or 0


def history(
    db: sqlite3.Connection, network: str, after: int, count: int
) -> list[tuple[bytes, Answer]]:
    """Return intents and answers of payments numbered above `after`, oldest first."""
    rows = db.execute(
        "select intent, raw, tx_hash, sender, number from entry "
        "where network = ? and number > ? order by number limit ?",
        (network, after, count),
    )
    return [(row[0], Answer(*row[1:])) for row in rows]


def let_go(db: sqlite3.Connection, rule: str, at: str, after: int) -> list[LetGo]:
    """Return what a rule let go at that time or later, in rows numbered above `after`."""
    return [LetGo(*row) for row in sorted(db.execute(_LET_GO, (rule, at, after)))]


def setups(db: sqlite3.Connection, subject: str, at: str) -> list[tuple[int, str]]:
    """Return number and time of each creation of a nonce account signed after that time."""
    rows = db.execute(
        "select seq, at from entry where subject = ? and kind <> 'signed' and kind = 'setup' "
        "and at > ?",
        (subject, at),
    )
    return rows.fetchall()


def accepted(db: sqlite3.Connection, subject: str, code: str) -> list[tuple[int, str]]:
    """Return number and time of the rows from which time counts again."""
    rows = db.execute(
        "select seq, at from entry where subject = ? and kind <> 'signed' and code = ?",
        (subject, code),
    )
    return rows.fetchall()


def setup_for(db: sqlite3.Connection, subject: str, intent: bytes) -> Answer | None:
    """Return what was signed for this very creation of a nonce account."""
    row = db.execute(
        "select raw, tx_hash, sender from entry "
        "where subject = ? and kind <> 'signed' and kind = 'setup' and intent = ?",
        (subject, intent),
    ).fetchone()
    return None if row is None else Answer(*row)


def setup_known(db: sqlite3.Connection, tx_hash: str) -> bool:
    """Tell whether a nonce account's creation of these very bytes is remembered."""
    query = "select 1 from entry where kind = 'setup' and tx_hash = ?"
    return db.execute(query, (tx_hash,)).fetchone() is not None


def refused(db: sqlite3.Connection, withdrawal_id: str, intent: bytes, code: str) -> bool:
    """Tell whether this refusal is remembered."""
    row = db.execute(
        "select 1 from entry where subject = ? and kind <> 'signed' and kind = 'refused' "
        "and code = ? and intent = ?",
        (withdrawal_id, code, intent),
    ).fetchone()
    return row is not None
