"""How much may go back: never more than is left, whatever the kind."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.refund import Kind, excess_units, refundable

UNITS = st.integers(0, 2**80)
KINDS: list[Kind] = ["full", "excess", "remainder"]


def test_what_was_too_much() -> None:
    """In one currency, and where another paid a part; never more than came in this one."""
    assert excess_units(100, 130, []) == 30
    assert excess_units(100, 100, []) == 0
    assert excess_units(100, 70, []) == 0
    assert excess_units(100, 70, [Fraction(1, 2)]) == 20
    assert excess_units(100, 5, [Fraction(3, 2)]) == 5
    assert excess_units(3, 2, [Fraction(2, 3)]) == 1
    assert excess_units(3, 1, [Fraction(5, 6)]) == 0, "a part of a unit stays"


def test_each_kind_counts_what_went_back() -> None:
    """Full only once; the excess once; the remainder until nothing is left."""
    told = {
        refunded: [refundable(k, received=130, refunded=refunded, excess=30) for k in KINDS]
        for refunded in (0, 10, 30, 130, 200)
    }
    assert told == {
        0: [130, 30, 130],
        10: [0, 20, 120],
        30: [0, 0, 100],
        130: [0, 0, 0],
        200: [0, 0, 0],
    }


@given(UNITS, UNITS, UNITS, st.sampled_from(KINDS))
def test_nothing_beyond_what_is_left(
    received: int, refunded: int, excess: int, kind: Kind
) -> None:
    """For every kind and any figures."""
    most = refundable(kind, received=received, refunded=refunded, excess=excess)
    assert 0 <= most <= max(received - refunded, 0)
