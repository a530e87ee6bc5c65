"""The keystore's memory: what it signed and refused, on disk before anyone sees the bytes.

One withdrawal id has one intent and takes one slot of its chain. Whoever else is deceived or
restored from an old copy, a second payment for the same withdrawal is not signed. Rows are only
ever added; each carries SHA-256 over the row before it and itself, checked at every start.

SQLite with `synchronous=FULL` in write-ahead mode: a COMMIT that returned has been fsynced.
"""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from keystore import accepted, crash, entries, journal_file, once
from keystore.entries import Answer, Ground, LetGo
from keystore.group import Group
from keystore.journal_file import Row, spelled
from keystore.once import Replaces, never
from keystore.refusal import Unfit


class Journal:
    """An open journal. Used by one thread; several processes may share the file."""

    def __init__(
        self, db: sqlite3.Connection, start: bytes, clock: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._chain = journal_file.Chain(db, start)
        self.clock = clock
        self._accepted = accepted.Accepted(db)
        self._group = Group(db, self._forget)
        self._signed = entries.Signed(db)
        self.epoch = 0
        """Another number: rows that were read may be gone, or others may have come."""

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
            start = journal_file.verified_start(db, vault_id)
            journal_file.index_as_today(db)
            return cls(db, start, clock)
        except (sqlite3.DatabaseError, UnicodeDecodeError, Unfit) as fault:
            db.close()
            raise Unfit(f"journal: {path}: {fault}") from fault

    def copy_to(self, path: Path) -> None:
        """Write a whole and consistent copy, also while another process appends."""
        journal_file.copy(self._db, path)

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
        return entries.signatures(self._db)

    def recall(
        self, withdrawal_id: str, intent: bytes, replaces: Replaces = never
    ) -> Answer | None:
        """Return what was signed for this withdrawal and intent, or None; writes nothing.

        Raises `Refused` (`intent_conflict`) where it was signed with another intent that this
        one does not replace.
        """
        taken = self._signed.asked(withdrawal_id)
        return once.recalled(taken, withdrawal_id, intent, replaces)

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
            taken = self._signed.still(withdrawal_id)
            before = once.recalled(taken, withdrawal_id, intent, replaces)
            if before is not None:
                return before
            number = self._chain.newest(network)
            once.require_same_past(number, known)
            once.require_free(slot, entries.holder(self._db, slot), withdrawal_id, taken)
            held, at = taken[0].ground if taken else None, self.clock()
            ground = allow(held)
            made = sign()
            answer = Answer(made.raw, made.tx_hash, made.sender, number + 1)
            self._chain.append(
                Row(
                    kind="signed" if held is None else "replacement",
                    subject=withdrawal_id,
                    network=network,
                    number=answer.number,
                    intent=intent,
                    grounds=ground.proof,
                    rule=ground.rule,
                    units=str(ground.units),
                    slot=slot,
                    raw=answer.raw,
                    tx_hash=answer.tx_hash,
                    sender=answer.sender,
                ),
                at,
            )
            crash.reach("sign.appended")
            return answer

    def history(self, network: str, after: int, count: int) -> list[tuple[bytes, Answer]]:
        """Return intents and answers of payments numbered above `after`, oldest first."""
        return entries.history(self._db, network, after, count)

    def issued(self, network: str) -> int:
        """Return the index below which pool rows of a network have been issued."""
        return entries.issued(self._db, network)

    def issue(self, network: str, below: int) -> None:
        """Remember, before anybody sees them, that rows up to `below` are issued."""
        if below <= self.issued(network):
            return
        with self._group.writing():
            entries.issue(self._db, network, below)

    def now(self) -> datetime:
        """Return the time for limits and expiries: a clock set back does not turn it back."""
        if not self._group.locked:
            self._chain.forget()  # another process may have written since
        return self._chain.time_after(self.clock())

    def accept_clock(self) -> tuple[datetime, datetime]:
        """Let time count from the clock again; return the newest row's time and the clock's.

        What was signed keeps counting in its windows, from now on. Raises `Unfit` where the
        clock is not behind the journal.
        """
        with self._group.writing():
            at, newest = self.clock(), self.now()
            if newest <= at:
                raise Unfit("clock: the journal is not ahead of it; nothing was changed")
            self._chain.append(accepted.row(newest), at, back=True)
            self._forget()
            return newest, at

    def let_go(self, rule: str, since: datetime, after: int) -> list[LetGo]:
        """Return what a rule let go at `since` or later, in rows numbered above `after`."""
        rows = entries.let_go(self._db, rule, spelled(since), after)
        return [row._replace(at=self._accepted.counted(row.seq, row.at)) for row in rows]

    def setups(self, subject: str, since: datetime) -> int:
        """Return how often a nonce account's creation was signed after `since`."""
        rows = entries.setups(self._db, subject, spelled(since))
        return sum(self._accepted.counted(*row) > spelled(since) for row in rows)

    def setup_once(
        self,
        subject: str,
        network: str,
        *,
        intent: bytes,
        allow: Callable[[], Ground],
        sign: Callable[[], Answer],
    ) -> Answer:
        """Allow, sign and remember a nonce account's creation, or return what is remembered."""
        before = entries.setup_for(self._db, subject, intent)
        if before is not None:
            return before
        with self._group.writing():
            before = entries.setup_for(self._db, subject, intent)
            if before is not None:
                return before
            at = self.clock()
            ground = allow()
            answer = sign()
            if entries.setup_known(self._db, answer.tx_hash):
                return answer  # of the same bytes: one key serves every network of its family
            self._chain.append(
                Row(
                    kind="setup",
                    subject=subject,
                    network=network,
                    intent=intent,
                    grounds=ground.proof,
                    rule=ground.rule,
                    raw=answer.raw,
                    tx_hash=answer.tx_hash,
                    sender=answer.sender,
                ),
                at,
            )
            return answer

    def record_refusal(
        self, withdrawal_id: str, network: str, intent: bytes, code: str
    ) -> bool:
        """Remember a refusal, once: tell whether this is the first time."""
        if entries.refused(self._db, withdrawal_id, intent, code):
            return False
        with self._group.writing():
            if entries.refused(self._db, withdrawal_id, intent, code):
                return False
            row = Row("refused", withdrawal_id, network, intent=intent, code=code)
            self._chain.append(row, self.clock())
        return True

    def _forget(self) -> None:
        self._signed.forget()
        self._chain.forget()
        self._accepted.forget()
        self.epoch += 1
