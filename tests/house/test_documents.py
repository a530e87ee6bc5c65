"""What the pages for operators name is there: files, tests, links, metrics."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "deploy" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
FILE = re.compile(
    r"(?<![\w/.-])((?:benchmarks|clients|deploy|devnet|docs|gateway|keystore|migrations|tests|"
    r"watchers)/[\w./*@-]+)(?:::(\w+))?"
)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
METRIC = re.compile(r"gateway_\w+")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_tests_and_links_of_a_page_are_there(page: Path) -> None:
    """A reader follows them; what was renamed is renamed there too."""
    text = page.read_text()
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []
    for name, test in FILE.findall(text):
        found = list(ROOT.glob(name.rstrip("./")))
        assert found, name
        if test:
            assert f"def {test}(" in found[0].read_text(), test


def metrics() -> set[str]:
    """Return the name of every metric, as its own class is given it."""
    found: set[str] = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and re.search(
                r"(Counter|Gauge|Histogram)(MetricFamily)?$", ast.unparse(node.func)
            ):
                found |= set(METRIC.findall(ast.unparse(node.args[0]))) if node.args else set()
    return found


def test_every_metric_is_in_the_docs_and_no_other() -> None:
    """Alarms hang on them."""
    told = set(METRIC.findall("".join(page.read_text() for page in PAGES)))
    plain = {name.removesuffix("_total") for name in told}
    known = metrics()
    assert len(known) > 5
    pool = {name for name in known if name.startswith("gateway_database_pool_")}
    assert known - pool - plain == set()
    assert plain - known == set()
