"""The keystore's memory: what it signed and refused, on disk before anyone sees the bytes.

One withdrawal id has one intent and takes one slot of its chain. Whoever else is deceived or
restored from an old copy, a second payment for the same withdrawal is not signed. Rows are only
ever added; each carries SHA-256 over the row before it and itself, checked at every start.

SQLite with `synchronous=FULL` in write-ahead mode: a COMMIT that returned has been fsynced.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from keystore import crash, journal_file
from keystore.group import Group
from keystore.journal_file import Tail, link, spelled, tail
from keystore.refusal import Refused, Unfit


@dataclass(frozen=True, slots=True)
class Answer:
    """Signed bytes, their hash as the chain writes it, and the paying address.

    `number` counts the payments of a network from 1; the journal gives it.
    """

    raw: bytes
    tx_hash: str
    sender: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """Why something was signed: the rule, its base units, and the approvals as they came.

    `rule` is empty on a test network without a policy.
    """

    rule: str
    units: int
    proof: bytes | None = None


Replaces = Callable[[bytes], bool]
"""Whether a new intent may stand in the place of the one given."""


_SIGNED_FOR = (
    "select seq, intent, raw, tx_hash, sender, number from entry "
    "where kind = 'signed' and subject = ? "
    "union all select seq, intent, raw, tx_hash, sender, number from entry "
    "where kind <> 'signed' and subject = ? and number is not null order by seq"
)


def never(_: bytes) -> bool:
    """Say that one intent is all a withdrawal gets."""
    return False


class Journal:
    """An open journal. Used by one thread; several processes may share the file."""

    def __init__(
        self, db: sqlite3.Connection, head: bytes, clock: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._head = head
        self._clock = clock
        self._group = Group(db)

    @classmethod
    def create(cls, path: Path, vault_id: str) -> None:
        """Make an empty journal that belongs to one keystore file."""
        journal_file.create(path, vault_id)

    @classmethod
    def open(cls, path: Path, vault_id: str, clock: Callable[[], datetime]) -> "Journal":
        """Open and check the whole chain; raise `Unfit` where anything does not fit.

        A missing journal is never replaced by an empty one: that would forget what was paid.
        """
        if not path.is_file():
            raise Unfit(f"journal: no such file: {path}; restore it, it says what was signed")
        db = sqlite3.connect(path, isolation_level=None, timeout=10)
        try:
            journal_file.make_durable(db)
            return cls(db, journal_file.verified_start(db, vault_id), clock)
        except (sqlite3.DatabaseError, Unfit) as fault:
            db.close()
            raise Unfit(f"journal: {path}: {fault}") from fault

    def copy_to(self, path: Path) -> None:
        """Write a whole and consistent copy, also while another process appends."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        copy = sqlite3.connect(path)
        try:
            self._db.backup(copy)
        finally:
            copy.close()

    def close(self) -> None:
        """Close the file; everything in it is on disk already."""
        self._db.close()

    def together(self) -> AbstractContextManager[None]:
        """Commit what is written within the block once, at its end; see `Group`."""
        return self._group.together()

    def afterwards(self, tell: Callable[[], None]) -> None:
        """Call `tell` when everything written so far is on disk; never if it is undone."""
        self._group.afterwards(tell)

    @property
    def signatures(self) -> int:
        """Payments signed since the journal began."""
        return int(
            self._db.execute("select count(*) from entry where kind = 'signed'").fetchone()[0]
        )

    def recall(
        self, withdrawal_id: str, intent: bytes, replaces: Replaces = never
    ) -> Answer | None:
        """Return what was signed for this withdrawal and intent, or None; writes nothing.

        Raises `Refused` (`intent_conflict`) where it was signed with another intent that this
        one does not replace.
        """
        rows = self._db.execute(_SIGNED_FOR, (withdrawal_id, withdrawal_id)).fetchall()
        for _, known, *signed in rows:
            if known == intent:
                return Answer(*signed)
        if rows and not replaces(rows[-1][1]):
            raise Refused(
                "intent_conflict", f"{withdrawal_id} was signed already with another intent"
            )
        return None

    def sign_once(
        self,
        withdrawal_id: str,
        network: str,
        *,
        intent: bytes,
        slot: str,
        known: int | None = None,
        replaces: Replaces = never,
        allow: Callable[[Ground | None], Ground],
        sign: Callable[[], Answer],
    ) -> Answer:
        """Allow, sign and remember in one transaction, or return what is remembered.

        A second transaction for one withdrawal is signed only where it `replaces` the newest
        one in the same slot: the chain takes one of the two. It takes nothing from a window.

        `allow` decides under the write lock, so that two processes never spend one limit twice;
        it is told why the slot was taken, where this is a replacement.
        `sign` is called at most once, and its bytes are on disk before they are returned.
        `known` is the caller's highest number of this network. Raises `Refused`
        (`intent_conflict`, `slot_taken`, `database_behind`, `journal_behind`, and what `allow`
        raises).
        """
        with self._group.writing():
            before = self.recall(withdrawal_id, intent, replaces)
            if before is not None:
                return before
            number = self._require_same_past(network, known) + 1
            held_by = self._holds(slot, withdrawal_id)
            ground = allow(held_by)
            answer = replace(sign(), number=number)
            self._append(
                "signed" if held_by is None else "replacement",
                withdrawal_id,
                network,
                intent=intent,
                ground=ground,
                slot=slot,
                answer=answer,
            )
            crash.reach("sign.appended")
            return answer

    def history(self, network: str, after: int, count: int) -> list[tuple[bytes, Answer]]:
        """Return intents and answers of payments numbered above `after`, oldest first."""
        rows = self._db.execute(
            "select intent, raw, tx_hash, sender, number from entry "
            "where network = ? and number > ? order by number limit ?",
            (network, after, count),
        )
        return [(row[0], Answer(*row[1:])) for row in rows]

    def _require_same_past(self, network: str, known: int | None) -> int:
        """Return the newest number of a network; refuse a caller whose past is another."""
        row = self._db.execute(
            "select max(number) from entry where network = ? and number is not null",
            (network,),
        ).fetchone()
        newest: int = row[0] or 0
        if known is not None and known < newest:
            raise Refused(
                "database_behind",
                f"known: {newest} payments were signed, not {known}: read them",
            )
        if known is not None and known > newest:
            raise Refused(
                "journal_behind", f"known: this journal has {newest} payments, not {known}"
            )
        return newest

    def issued(self, network: str) -> int:
        """Return the index below which pool rows of a network have been issued."""
        row = self._db.execute(
            "select below from issued where network = ?", (network,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def issue(self, network: str, below: int) -> None:
        """Remember, before anybody sees them, that rows up to `below` are issued."""
        if below <= self.issued(network):
            return
        with self._group.writing():
            self._db.execute(
                "insert into issued values (?, ?) on conflict (network) "
                "do update set below = max(below, excluded.below)",
                (network, below),
            )

    def now(self) -> datetime:
        """Return the time for limits and expiries: a clock set back does not turn it back."""
        return self._now_after(tail(self._db))

    def _now_after(self, last: Tail | None) -> datetime:
        clock = self._clock()
        return clock if last is None else max(clock, datetime.fromisoformat(last.at))

    def spent(self, rule: str, since: datetime) -> int:
        """Return the base units that a rule has allowed to leave after `since`."""
        rows = self._db.execute(
            "select units from entry "
            "where rule <> '' and rule = ? and at > ? and kind = 'signed'",
            (rule, spelled(since)),
        )
        return sum(int(units) for (units,) in rows)

    def let_go(self, rule: str, since: datetime) -> list[tuple[str, bytes]]:
        """Return slot and intent of everything that a rule has let go after `since`.

        A nonce account's creation is in no slot: its transaction's hash stands for one.
        """
        return self._db.execute(
            "select coalesce(slot, tx_hash), intent from entry "
            "where rule <> '' and rule = ? and at > ?",
            (rule, spelled(since)),
        ).fetchall()

    def setups(self, subject: str, since: datetime) -> int:
        """Return how often a nonce account's creation was signed after `since`."""
        row = self._db.execute(
            "select count(*) from entry where subject = ? and kind <> 'signed' and kind = 'setup' "
            "and at > ?",
            (subject, spelled(since)),
        ).fetchone()
        return int(row[0])

    def record_setup(
        self,
        subject: str,
        network: str,
        *,
        intent: bytes,
        answer: Answer,
        allow: Callable[[], Ground],
    ) -> None:
        """Allow and remember a nonce account's creation; the same bytes are remembered once."""
        with self._group.writing():
            known = self._db.execute(
                "select 1 from entry where tx_hash = ? and raw = ?",
                (answer.tx_hash, answer.raw),
            ).fetchone()
            if known is None:
                ground = allow()
                self._append(
                    "setup", subject, network, intent=intent, ground=ground, answer=answer
                )

    def record_refusal(
        self, withdrawal_id: str, network: str, intent: bytes, code: str
    ) -> None:
        """Remember a refusal; the same one again (a caller that insists) adds nothing."""
        with self._group.writing():
            known = self._db.execute(
                "select 1 from entry where subject = ? and kind <> 'signed' and kind = 'refused' "
                "and code = ? and intent = ?",
                (withdrawal_id, code, intent),
            ).fetchone()
            if known is None:
                self._append("refused", withdrawal_id, network, intent=intent, code=code)

    def _holds(self, slot: str, withdrawal_id: str) -> Ground | None:
        """Return why the slot is this withdrawal's already; refuse another's."""
        row = self._db.execute(
            "select subject from entry where kind = 'signed' and slot = ?", (slot,)
        ).fetchone()
        mine = self._db.execute(
            "select slot, rule, units, grounds from entry where kind = 'signed' and subject = ?",
            (withdrawal_id,),
        ).fetchone()
        if row is not None and row[0] != withdrawal_id:
            raise Refused("slot_taken", f"{withdrawal_id}: {slot} already belongs to {row[0]}")
        if mine is not None and mine[0] != slot:
            raise Refused("slot_taken", f"{withdrawal_id}: has its slot already: {mine[0]}")
        return None if mine is None else Ground(mine[1] or "", int(mine[2]), mine[3])

    def _append(
        self,
        kind: str,
        subject: str,
        network: str,
        *,
        intent: bytes,
        ground: Ground | None = None,
        slot: str | None = None,
        code: str | None = None,
        answer: Answer | None = None,
    ) -> None:
        last = tail(self._db)
        seq, head = (last.seq, last.head) if last else (0, self._head)
        raw, tx_hash, sender = (
            (answer.raw, answer.tx_hash, answer.sender) if answer else (None, None, None)
        )
        units = str(ground.units) if ground and slot else None
        why = (ground.proof, ground.rule, units) if ground else (None, None, None)
        number = answer.number or None if answer else None
        named = (seq + 1, kind, subject, network, number, intent, *why, slot, code)
        row = (*named, raw, tx_hash, sender, spelled(self._now_after(last)))
        marks = ",".join("?" * (len(row) + 1))
        self._db.execute(
            f"insert into entry values ({marks})",  # noqa: S608 question marks only
            (*row, link(head, row)),
        )
