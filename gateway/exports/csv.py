"""Rows of a CSV file (RFC 4180) that no spreadsheet takes for formulas."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

BLANK = ("\t", "\r", "\n")
"""What a spreadsheet passes over before it looks for a formula (OWASP, CSV injection)."""
_CELL = re.compile(r"(?:^|[;|\t\r\n]\"*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where one begins, also where our commas are none to it: many a country separates with `;`."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def cell(value: Any) -> str:
    """Return one value as text, with an apostrophe before whatever could be a formula.

    A plain negative number is none. Lists and objects become JSON.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if _NUMBER.fullmatch(text):
        return text
    calm = _CELL.sub(r"\g<0>'", text)
    return f"'{calm}" if calm.startswith(BLANK) else calm


def lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Return rows as bytes, each with its CRLF."""
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return text.getvalue().encode()


def value_at(document: Any, path: str) -> Any:
    """Return the value at `tax.label` in JSON types, None where the way ends."""
    for name in path.split("."):
        if document is None:
            return None
        document = document.get(name)
    return document
