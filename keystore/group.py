"""When what was written is on disk: at once, or with everything of the same group. One fsync each."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

_WITHIN = nullcontext()
"""A group ends what its rows began."""


class Group:
    """The transaction of a connection. Used by one thread.

    A row needs no savepoint: each is one statement, and whatever refuses an intent does so before
    its row. So a refusal leaves the rows before it alone, and any other exception undoes them all.

    `forget` is called when what was read may be true no longer: something was undone, or another
    process wrote before the lock was taken.
    """

    def __init__(self, db: sqlite3.Connection, forget: Callable[[], None]) -> None:
        self._db = db
        self._forget = forget
        self._version: int | None = None
        self._open = False
        self.locked = False
        """Nobody else writes until this transaction ends."""
        self._afterwards: list[Callable[[], None]] = []

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit what is written within the block once, at its end; undo all on any exception.

        Nothing that the block was told may leave the process before the block has ended.
        """
        self._open = True
        try:
            yield
            if self.locked:
                self._db.execute("commit")
            for tell in self._afterwards:
                tell()
        except BaseException:
            self._forget()
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise
        finally:
            self._open = self.locked = False
            self._afterwards.clear()

    def writing(self) -> AbstractContextManager[None]:
        """Hold the write lock from the first look on, to the fsync; a group's, where one is open."""
        if not self._open:
            return self._alone()
        if not self.locked:
            self._lock()
        return _WITHIN

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.together(), self.writing():
            yield

    def _lock(self) -> None:
        self._db.execute("begin immediate")
        self.locked = True
        version: int = self._db.execute("pragma data_version").fetchone()[0]
        if version != self._version:
            self._forget()
            self._version = version

    def afterwards(self, tell: Callable[[], None]) -> None:
        """Call `tell` when everything written so far is on disk; never if it is undone."""
        if self._open:
            self._afterwards.append(tell)
        else:
            tell()
