"""Every command that a page shows is there, with the options that it is shown with."""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import gateway.__main__
import keystore.__main__
import watchers.__main__
from tests.house.test_documents import PAGES, ROOT

FENCED = re.compile(r"^```.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4,}(.+)$", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
BEFORE = re.compile(r"(?:\$ |as_gateway |.*/bin/)")
"""What may stand before a command: a prompt, a shell function of the page, its folder."""
SHOWN_AT_LEAST = 100

HOUSES: dict[str, Callable[[Sequence[str]], argparse.ArgumentParser]] = {
    "gateway": gateway.__main__._parser,
    "keystore": lambda _: keystore.__main__._parser(),
    "watchers": watchers.__main__._parser,
}


def shown(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command that a page shows in a block or within a sentence."""
    text = page.read_text()
    blocks = [line for block in FENCED.findall(text) for line in block.splitlines()]
    prose = FENCED.sub("", text)
    lines = [*blocks, *INDENTED.findall(prose)]
    spans = [" ".join(span.split()) for span in SPAN.findall(INDENTED.sub("", prose))]
    for each in (*lines, *spans):
        command = BEFORE.sub("", each, count=1) if BEFORE.match(each) else each
        words = re.split(r" [#|>]", command)[0].split()
        if len(words) > 1 and words[0] in HOUSES and "$" not in words[1]:
            yield words


def fault_of(words: Sequence[str]) -> str | None:
    """Say which word of a command line its parser does not know; None: it knows them all."""
    house, *rest = words
    parser = HOUSES[house](rest)
    while nested := [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]:
        name = rest.pop(0) if rest else "nothing"
        if name not in nested[0].choices:
            return name
        parser = nested[0].choices[name]
    options = {
        word.partition("=")[0].strip("[]") for word in rest if re.match(r"\[?--\w", word)
    }
    unknown = options - parser._option_string_actions.keys()
    return " ".join(sorted(unknown)) or None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_are_there_with_their_options(page: Path) -> None:
    """Who copies a line from a page gets no usage error."""
    wrong = {" ".join(words): fault for words in shown(page) if (fault := fault_of(words))}
    assert wrong == {}


def test_pages_show_commands_and_a_wrong_one_is_found() -> None:
    """The search finds what it is meant to find."""
    assert sum(len(list(shown(page))) for page in PAGES) > SHOWN_AT_LEAST
    assert fault_of(["watchers", "explain", "NETWORK", "TX", "--json"]) is None
    assert fault_of(["watchers", "explain", "NETWORK", "TX", "--jsn"]) == "--jsn"
    assert fault_of(["gateway", "admin", "make-key"]) == "make-key"
    assert fault_of(["keystore", "bakcup", "FILE"]) == "bakcup"
