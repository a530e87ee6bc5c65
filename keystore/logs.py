"""One line per event on stderr: JSON for machines, text on a terminal.

Fields are chosen one by one by the callers: ids, addresses, hashes and codes. No call passes a
request, an intent, signed bytes or anything of the vault, so there is nothing to redact.
"""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

import msgspec

Field = str | int | bool | None
Event = tuple[datetime, str, str, dict[str, Field]]
"""When, level, name and fields."""


def utc_now() -> datetime:
    """Return the wall clock in UTC; only the command module hands it out."""
    return datetime.now(UTC)


def place_of(bug: BaseException) -> str:
    """Return file and line where it happened, never what it said: messages may quote values."""
    last = traceback.extract_tb(bug.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"


class Log:
    """Writes event lines to `stream`, each in a single write so that threads do not mix."""

    def __init__(
        self, clock: Callable[[], datetime] = utc_now, stream: TextIO | None = None
    ) -> None:
        self.clock = clock
        self._stream = stream
        self._held: list[Event] | None = None

    def info(self, event: str, **fields: Field) -> None:
        """Record something that went as it should."""
        self._tell((self.clock(), "info", event, fields))

    def warning(self, event: str, **fields: Field) -> None:
        """Record a refusal or something an operator may want to see."""
        self._tell((self.clock(), "warning", event, fields))

    @contextmanager
    def later(self) -> Iterator[None]:
        """Write the lines of a block together when it has ended: nobody waits for them."""
        held = self._held = []
        try:
            yield
        finally:
            self._held = None
            if held:
                self._write(held)

    def _tell(self, event: Event) -> None:
        if self._held is None:
            self._write([event])
        else:
            self._held.append(event)

    def _write(self, events: list[Event]) -> None:
        stream = self._stream or sys.stderr
        spell = _text if stream.isatty() else _document
        stream.write("".join(f"{spell(*event)}\n" for event in events))
        stream.flush()


def _text(at: datetime, level: str, event: str, fields: dict[str, Field]) -> str:
    tail = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{at.isoformat(timespec='milliseconds')} {level:<7} {event} {tail}".rstrip()


def _document(at: datetime, level: str, event: str, fields: dict[str, Field]) -> str:
    moment = at.isoformat(timespec="milliseconds")
    head = {"at": moment, "level": level, "service": "keystore", "event": event}
    return msgspec.json.encode({**head, **fields}).decode()
