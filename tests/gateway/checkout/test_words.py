"""The small rules of the page: markup, amounts, times."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.checkout.html import Html, document, tag
from gateway.checkout.words import clean, clock, duration, trimmed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_text_is_escaped_and_markup_is_not() -> None:
    """Children and attributes alike; only this module's own markup stays."""
    inner = tag("b", "<i>")
    assert tag("p", "a&b", inner, None, class_="x\"y'") == (
        '<p class="x&quot;y&#x27;">a&amp;b<b>&lt;i&gt;</b></p>'
    )
    assert isinstance(inner, Html)
    assert tag("meta", http_equiv="refresh", content=None) == '<meta http-equiv="refresh">'
    assert tag("ul", (tag("li", each) for each in "ab")) == "<ul><li>a</li><li>b</li></ul>"
    assert document(head=None, body="<") == (
        '<!doctype html><html lang="en"><head></head><body>&lt;</body></html>'
    )


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    """Whatever a merchant writes."""
    written = tag("p", text, title=text)
    assert written.count("<") == written.count(">") == 2
    assert written.count('"') == 2


@given(st.text())
def test_clean_text_cannot_reorder_the_page(text: str) -> None:
    """No override, no isolate, no control character is left; ordinary text is as it was."""
    left = clean(text)
    assert not set(left) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    )
    assert all(ord(letter) >= 32 and ord(letter) != 127 for letter in left)
    assert (
        clean("Caf\u00e9 \u05e9\u05dc\u05d5\u05dd 1") == "Caf\u00e9 \u05e9\u05dc\u05d5\u05dd 1"
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("49.900000", "49.90"), ("0.019960000000000000", "0.01996"), ("1.000000", "1.00"),
        ("100", "100"), ("0.000001", "0.000001"), ("5.0", "5.0"), ("0.10", "0.10"),
    ],
)  # fmt: skip
def test_amounts_lose_only_zeros(amount: str, shown: str) -> None:
    """Two decimals stay, so money looks like money."""
    assert trimmed(amount) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (119, "1 minute"),
        (120, "2 minutes"), (7199, "119 minutes"), (7200, "2 hours"), (172_800, "2 days"),
        (-5, "0 seconds"),
    ],
)  # fmt: skip
def test_time_left_in_words(seconds: int, words: str) -> None:
    """The unit that says most."""
    assert duration(timedelta(seconds=seconds)) == words


def test_a_date_only_where_it_is_another_day() -> None:
    """Times are UTC and say so."""
    assert clock(NOON, NOON) == "12:00 UTC"
    assert clock(NOON + timedelta(days=1), NOON) == "2026-11-21 12:00 UTC"
