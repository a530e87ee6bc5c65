"""From when time counts: what a person does about rows that a wrong clock dated ahead.

Their time stays as it is, and so does the chain. A row of their own says from when time counts
on; what was signed before it, under a later date, counts in its windows from there.
"""

import sqlite3
from datetime import datetime

from keystore import entries
from keystore.journal_file import Row, spelled

CODE = "clock_accepted"
SUBJECT = "#clock"
"""No withdrawal's id has this letter. It is kept as a refusal of the time before it, so that a
journal of any version can hold it."""
MARK = b"gw/clock/v1\n"


def row(before: datetime) -> Row:
    """Return the row that ends a time which had come up to `before`."""
    return Row("refused", SUBJECT, "", intent=MARK + spelled(before).encode(), code=CODE)


class Accepted:
    """The times that were accepted; read once, and again after `forget`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[tuple[int, str]] | None = None

    def forget(self) -> None:
        """Look into the file before the next answer."""
        self._rows = None

    def counted(self, seq: int, at: str) -> str:
        """Return the time from which a row counts: its own, or what was accepted after it."""
        if self._rows is None:
            self._rows = entries.accepted(self._db, SUBJECT, CODE)
        if not self._rows:
            return at
        return min([at, *(time for place, time in self._rows if place > seq)])
