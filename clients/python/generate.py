"""Make the blocking call style from the asyncio one: `python generate.py`.

Word by word: what is not a name of asyncio's style stays as it is.
"""

import io
import re
import tokenize
from pathlib import Path

HERE = Path(__file__).parent / "cryptic_gateway"
SOURCE, TARGET = HERE / "aio", HERE / "plain"
NAMES = {
    "AsyncIterator": "Iterator",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aio": "plain",
    "asyncio": "time",
}
DROPPED = {"async", "await"}
NOTE = "# Made by generate.py from aio/{name}: change that one.\n"


def plain(source: str) -> str:
    """Return the blocking form of a module."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    edits: list[tuple[int, int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        if token.type == tokenize.NAME and token.string in DROPPED:
            edits.append((begin, end + 1, ""))
        elif token.type == tokenize.NAME:
            edits.append((begin, end, renamed(token.string)))
    for begin, end, text in reversed(edits):
        source = source[:begin] + text + source[end:]
    return source


def renamed(name: str) -> str:
    """Return a name of the blocking style."""
    return NAMES.get(name) or re.sub(r"^(_?)Async(?=[A-Z])", r"\1", name)


def generated() -> dict[Path, str]:
    """Return every module of the blocking style."""
    return {
        TARGET / path.name: NOTE.format(name=path.name) + plain(path.read_text())
        for path in sorted(SOURCE.glob("*.py"))
        if path.name != "__init__.py"
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
