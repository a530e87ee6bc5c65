"""One line per event on stderr: JSON for machines, text on a terminal.

Fields are chosen one by one by the callers: ids, addresses, hashes and codes. No call passes a
request, an intent, signed bytes or anything of the vault, so there is nothing to redact.
"""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import msgspec

Field = str | int | bool | None


def utc_now() -> datetime:
    """Return the wall clock in UTC; only the command module hands it out."""
    return datetime.now(UTC)


def place_of(bug: BaseException) -> str:
    """Return file and line where it happened, never what it said: messages may quote values."""
    last = traceback.extract_tb(bug.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"


@dataclass(frozen=True, slots=True)
class Log:
    """Writes event lines to `stream`, each in a single write so that threads do not mix."""

    clock: Callable[[], datetime] = utc_now
    stream: TextIO | None = None

    def info(self, event: str, **fields: Field) -> None:
        """Record something that went as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Field) -> None:
        """Record a refusal or something an operator may want to see."""
        self._write("warning", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Field]) -> None:
        stream = self.stream or sys.stderr
        at = self.clock().isoformat(timespec="milliseconds")
        if stream.isatty():
            tail = " ".join(f"{name}={value}" for name, value in fields.items())
            line = f"{at} {level:<7} {event} {tail}".rstrip()
        else:
            head = {"at": at, "level": level, "service": "keystore", "event": event}
            line = msgspec.json.encode({**head, **fields}).decode()
        stream.write(f"{line}\n")
        stream.flush()
