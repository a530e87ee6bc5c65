"""The house keeps its own rules: what no linter can say, this test says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("gateway", "watchers", "keystore")
MODULES = sorted(path for house in HOUSES for path in (ROOT / house).rglob("*.py"))
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 9
BANNED = (
    (
        r"\.commit\(",
        "only unit_of_work commits",
        ("gateway/db.py", "gateway/line.py", "gateway/postgres/migrate.py"),
    ),
    (r"\bfloat\(", "money and time are exact", ()),
    (r"FIXME|TODO|XXX\b|NotImplementedError", "finish it or file an issue", ()),
    (r"except Exception:\s*(pass|continue)|except:\s", "no exception is swallowed", ()),
    (r"\bset_config\(", "the tenant is set in one place", ("gateway/db.py",)),
    (r"MagicMock|mock\.patch|[^.@\w]patch\(\"", "real parts only", ()),
)
FAMILY_HOMES = (
    "watchers/networks/",
    "watchers/families.py",
    "watchers/pay/lanes.py",
    "watchers/pay/settler.py",
    "keystore/",
    "gateway/settings/networks.py",
    "gateway/catalog/chain_names.py",
    "gateway/domain/addresses.py",
    "gateway/invoices/wallets.py",
)
"""A network is a folder, not an `if`: the families' names are known here only."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_keeps_house(path: Path) -> None:
    """A module is short, says what it is for, and uses nothing banned."""
    text, name = path.read_text(), path.relative_to(ROOT).as_posix()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "say in one sentence what this room is for"
    assert text.count("\n") <= FILE_LINES_MAX, "split by responsibility"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name}: {length} lines"
            count = len(node.args.args) + len(node.args.kwonlyargs)
            assert count <= PARAMETERS_MAX, f"{node.name}: {count} parameters"
    for pattern, reason, homes in BANNED:
        if name not in homes:
            assert not re.search(pattern, text), f"{pattern}: {reason}"


def _at_home(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(FAMILY_HOMES)


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if not _at_home(path)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_network_is_a_folder_and_not_an_if(path: Path) -> None:
    """Family names are compared only where a family lives."""
    literals = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not literals & {"ethereum", "tron", "solana"}


def test_house_is_not_empty() -> None:
    """A wrong root would check nothing and pass."""
    assert len(MODULES) > 50


def test_nothing_names_a_machine_or_a_registry() -> None:
    """Lock files and code hold no address of where they were made."""
    suspects = [ROOT / "requirements.lock", ROOT / "devnet" / "package-lock.json", *MODULES]
    for path in suspects:
        assert not re.search(
            r"/root/|/home/\w|index-url|find-links|\"resolved\"", path.read_text()
        )
