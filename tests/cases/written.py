"""Which tests there are, read from their source: nothing is imported, nothing runs."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASE = re.compile(r"test_case_(\d\d)_\w+")
PEER = re.compile(r"test_peer_([a-z]+\d*)_\w+")


def tests_in(path: Path) -> set[str]:
    """Return the names of the test functions of one file, those of its classes included."""
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


@cache
def written() -> frozenset[str]:
    """Return every test as `tests/file.py::name`."""
    return frozenset(
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in tests_in(path)
    )
