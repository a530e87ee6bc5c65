"""`docs/deposits.md` names a test for every case and every failure of a peer, and no phantom."""

import re

from tests.cases.written import CASE, PEER, ROOT, written

DOCUMENT = ROOT / "docs" / "deposits.md"
CASES = 77
UNTESTABLE_MAX = 5
PEERS = {
    *(f"m{number}" for number in range(1, 10)),
    *(f"b{number}" for number in range(1, 7)),
    *("s1", "s2", "index", "reuse"),
}
NUMBERED = re.compile(r"[MBS]\d")
NAMED = re.compile(r"`(tests/[\w/]+\.py::test_\w+)`")


def rows(heading: str) -> dict[str, str]:
    """Return the rows of the table below a heading, by their first cell."""
    section = DOCUMENT.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([\w-]+) \|(.*)\|$", section, re.MULTILINE)
    return {first: rest for first, rest in cells if first not in {"no", "id"}}


def test_every_case_has_a_row_and_a_test() -> None:
    """Seventy-seven rows; at most five say why no test can show it."""
    table = rows("The 77 cases")
    assert list(table) == [f"{number:02}" for number in range(1, CASES + 1)]
    without = {number for number, rest in table.items() if not NAMED.search(rest)}
    assert len(without) <= UNTESTABLE_MAX
    for number in without:
        assert re.search(r"untestable: \w+", table[number]), number


def test_a_row_names_tests_of_its_own_number() -> None:
    """Another test may stand beside them; one at least carries the number."""
    for number, rest in rows("The 77 cases").items():
        numbers = {CASE.search(name) for name in NAMED.findall(rest)}
        if numbers:
            assert number in {match.group(1) for match in numbers if match}, number


def test_every_failure_of_a_peer_has_a_row_and_a_test() -> None:
    """The failures that were measured in others, each with the test that we do not share it."""
    table = rows("What the others lose")
    assert set(table) >= {each.upper() for each in PEERS}
    for id_, rest in table.items():
        matches = [PEER.search(name) for name in NAMED.findall(rest)]
        tokens = {match.group(1) for match in matches if match}
        assert id_.lower() in tokens if NUMBERED.fullmatch(id_) else tokens, id_


def test_every_named_test_exists() -> None:
    """A renamed test must be renamed here too."""
    named = set(NAMED.findall(DOCUMENT.read_text()))
    assert named - written() == set()


def test_every_numbered_test_is_named() -> None:
    """Who looks for a case finds all of its tests; `python -m tests.cases` writes them in."""
    numbered = {name for name in written() if CASE.search(name) or PEER.search(name)}
    assert numbered - set(NAMED.findall(DOCUMENT.read_text())) == set()
