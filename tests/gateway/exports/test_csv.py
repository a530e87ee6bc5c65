"""Cells of a CSV file: nothing that a spreadsheet would run, numbers as they are."""

import csv
import io

import pytest

from gateway.exports.csv import cell, lines, value_at

CELLS: list[tuple[object, str]] = [
    ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
    ("+1+1", "'+1+1"),
    ("-1+1", "'-1+1"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'\t'=1"),
    ("\r=1", "'\r'=1"),
    ("\n=1", "'\n'=1"),
    ("\ttext", "'\ttext"),
    ("\uff1d1+1", "'\uff1d1+1"),
    ("\uff201", "'\uff201"),
    ("-40.000000", "-40.000000"),
    ("-4\n", "'-4\n"),
    ("plain", "plain"),
    (None, ""),
    (True, "true"),
    (-3, "-3"),
    ({"a": "=1"}, '{"a":"=1"}'),
    ({"a": ";=1"}, '{"a":";\'=1"}'),
    ("x;=1", "x;'=1"),
    ("x;+1;-1;@A;\uff1d1", "x;'+1;'-1;'@A;'\uff1d1"),
    ('x;"=1"', 'x;"\'=1"'),
    ("x\n=1|=2\t=3", "x\n'=1|'=2\t'=3"),
    ("x;-4", "x;'-4"),
    ("a;b = c; d", "a;b = c; d"),
    ([], "[]"),
]


@pytest.mark.parametrize(("value", "text"), CELLS)
def test_a_cell_is_never_a_formula(value: object, text: str) -> None:
    """OWASP's beginnings: signs, line breaks, and the wide signs of East Asian keyboards.

    So it is behind whatever else may separate cells where our commas do not.
    """
    assert cell(value) == text


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_reader_of_a_file_finds_a_formula(separator: str) -> None:
    """Whichever separator a spreadsheet takes: no cell of it begins with a sign."""
    signs = "=+-@\uff1d\uff0b\uff0d\uff20"
    hostile = [
        f"{before}{sign}1+1{after}"
        for sign in signs
        for before in ("", "x;", "x|", "x\t", "x\n", "x\r", 'x;"', 'x\n"', ";;", "x,", 'x",')
        for after in ("", ";", '"', "\n")
    ]
    file = lines([["id", text, "last"] for text in hostile]).decode()
    found = [
        text
        for row in csv.reader(io.StringIO(file, newline=""), delimiter=separator)
        for text in row
    ]
    assert len(found) >= len(hostile)
    assert [text for text in found if text.startswith(tuple(signs))] == []


def test_lines_are_read_back_as_they_were() -> None:
    """Quotes, commas and line breaks survive."""
    rows = [["a,b", 'c"d', "e\nf"], ["", "ä", "1"]]
    assert list(csv.reader(io.StringIO(lines(rows).decode(), newline=""))) == rows


def test_a_path_leads_into_a_document() -> None:
    """And ends where there is nothing."""
    assert value_at({"tax": {"label": "VAT"}}, "tax.label") == "VAT"
    assert value_at({"tax": None}, "tax.label") is None
