"""Bodies are read strictly, and faults point at their place."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import Invalid, Refusal
from gateway.http.reading import decoded, too_deep


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a body."""

    amount: str


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A body with lists and maps."""

    items: list[Inner] = []
    metadata: dict[str, str] = {}
    count: int = 0


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"items":[{"amount":"1"},{"amount":1}]}', "/items/1/amount"),
        ('{"items":[{"amount":"1","x":2}]}', "/items/0/x"),
        ('{"items":[{}]}', "/items/0/amount"),
        ('{"metadata":{"k":1}}', "/metadata"),
        ('{"metadata":{"k":"\\u0000"}}', "/metadata/k"),
        ('{"items":[{"amount":"\\u0000"}]}', "/items/0/amount"),
        ('{"count":1.0}', "/count"),
        ('{"count":true}', "/count"),
        ('{"count":"1"}', "/count"),
        ('{"":1}', "/"),
        ("null", ""),
    ],
)
def test_the_pointer_leads_to_the_fault(text: str, pointer: str) -> None:
    """RFC 6901, through lists and structs; a value of a map points at the map."""
    with pytest.raises(Invalid) as refused:
        decoded(text.encode(), Body)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_whole_number_may_be_written_as_one() -> None:
    """What fits arrives as it was sent."""
    assert decoded(b'{"count":3,"metadata":{"a":"b"}}', Body).count == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but a refusal comes out of nonsense."""
    with suppress(Refusal):
        assert isinstance(decoded(body, Body), Body)


def test_a_text_without_an_end_is_one_text() -> None:
    """Read once to its end: a search from each of its quotes would take minutes of everybody."""
    for body in (b'"' + b'\\"' * 30_000, b'"' + b'\\"\\\n' * 15_000, b'{"a":"\\'):
        assert not too_deep(body + b"[" * 40)
    assert too_deep(b'"a\\"b"' + b"[" * 40)
