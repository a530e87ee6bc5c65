"""Write the tests' names in `docs/deposits.md` anew: `.venv/bin/python -m tests.cases`.

A row gets every test that carries its number, beside those that it names already and that exist.
"""

import re
from collections.abc import Iterator

from tests.cases.written import CASE, PEER, ROOT, written

DOCUMENT = ROOT / "docs" / "deposits.md"
ROW = re.compile(r"^(\| ([0-9A-Z]+) \|[^|]*\|[^|]*\|)([^|]*)\|$", re.MULTILINE)


def of_row(first: str, cell: str) -> Iterator[str]:
    """Yield the tests of a row with this first cell."""
    for name in sorted(written()):
        found = CASE.search(name) or PEER.search(name)
        if f"`{name}`" in cell or (found and found.group(1) == first.lower()):
            yield f"`{name}`"


def renewed(text: str) -> str:
    """Return the document with its rows' tests."""
    return ROW.sub(
        lambda row: f"{row[1]} {'<br>'.join(of_row(row[2], row[3])) or row[3].strip()} |", text
    )


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text()))
