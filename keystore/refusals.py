"""Refusals are written down, as many as a minute's ration allows; beyond it they are counted.

Any allowed peer may ask for nonsense without end. It fills no disk with that.
"""

from collections.abc import Callable
from datetime import timedelta

from keystore.journal import Journal
from keystore.logs import Log

MINUTE = timedelta(minutes=1)
ROWS_MAX = 600
BYTES_MAX = 2**19
"""Of the intents in them; a sound one has a few hundred bytes, a line of 64 KiB is one too."""


class Refusals:
    """What was refused, in the journal and in the log."""

    def __init__(self, journal: Journal, log: Log, boot: Callable[[], timedelta]) -> None:
        self._journal = journal
        self._log = log
        self._boot = boot
        self._since: timedelta | None = None
        self._rows = self._bytes = 0
        self.unwritten = 0
        """How many were counted only, since the start."""

    def remember(self, subject: str, network: str, intent: bytes, code: str) -> None:
        """Write a refusal down, once; the same one again adds nothing."""
        if self._has_room(intent):
            if self._journal.record_refusal(subject, network, intent, code):
                self._rows += 1
                self._bytes += len(intent)
        else:
            self.unwritten += 1
        self._journal.afterwards(lambda: self._tell(subject, code))

    def _has_room(self, intent: bytes) -> bool:
        now = self._boot()
        if self._since is None or now - self._since >= MINUTE:
            self._since, self._rows, self._bytes = now, 0, 0
        return self._rows < ROWS_MAX and self._bytes + len(intent) <= BYTES_MAX

    def _tell(self, subject: str, code: str) -> None:
        self._log.warning("intent_refused", withdrawal_id=subject, code=code)
