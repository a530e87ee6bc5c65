"""Money survives every way through the house exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.money import (
    UINT256_MAX,
    AmountError,
    parse_decimal,
    plain,
    rounded,
    rounded_down,
    to_text,
    to_units,
    units_due,
)

UNITS = st.integers(0, 10**59)
DECIMALS = st.integers(0, 18)
RATES = st.decimals(
    Decimal("1e-18"), Decimal(10**9), places=18, allow_nan=False, allow_infinity=False
)


@given(UNITS, DECIMALS)
def test_units_come_back_from_text(units: int, decimals: int) -> None:
    """Whatever the API shows can be sent back and means the same."""
    assert to_units(to_text(units, decimals), decimals) == units


@given(st.integers(0, UINT256_MAX), DECIMALS)
def test_the_text_of_a_uint256_is_exact(units: int, decimals: int) -> None:
    """No context rounds 78 digits to 28 on the way out."""
    whole, _, fraction = to_text(units, decimals).partition(".")
    assert int(whole + fraction) == units
    assert len(fraction) == decimals


@given(UNITS, st.integers(0, 17))
def test_one_decimal_too_many_is_refused(units: int, decimals: int) -> None:
    """Nobody's amount is rounded, not even in the last digit."""
    with pytest.raises(AmountError, match="more than"):
        to_units(f"{to_text(units, decimals)}{'' if decimals else '.'}1", decimals)


@pytest.mark.parametrize(
    "text",
    [
        "", " 1", "1 ", "+1", "-1", "1e3", "1E3", "1_000", "1,000", "0x10", ".5", "5.", "01",
        "00", "NaN", "Infinity", "\u0661\u0662", "\uff11", "1.0000000000000000000", "1.2.3", "1\n", "\u00bd",
    ],
)  # fmt: skip
def test_every_other_notation_is_refused(text: str) -> None:
    """One way to write a number: ASCII digits and at most one point."""
    with pytest.raises(AmountError):
        parse_decimal(text)


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    """Nothing but `AmountError` comes out, and what is accepted is finite."""
    try:
        value = parse_decimal(text)
    except AmountError:
        return
    assert value.is_finite()
    assert value >= 0


@given(st.decimals(Decimal("0.01"), Decimal(10**9), places=2), RATES, DECIMALS)
def test_what_is_due_never_falls_short(amount: Decimal, rate: Decimal, decimals: int) -> None:
    """The due units are worth the amount, and one unit less is not."""
    units = units_due(amount, rate, decimals)
    worth_of_one = Fraction(rate) / 10**decimals
    assert units * worth_of_one >= Fraction(amount)
    assert (units - 1) * worth_of_one < Fraction(amount)


@given(st.fractions(0, 10**30), DECIMALS)
def test_rounding_for_display_has_two_sides(value: Fraction, decimals: int) -> None:
    """What is due is shown rounded up, what was paid rounded down, by less than one digit."""
    up, down = rounded(value, decimals), rounded_down(value, decimals)
    assert Fraction(down) <= value <= Fraction(up)
    assert Fraction(up) - Fraction(down) <= Fraction(1, 10**decimals)


@given(st.decimals(0, 10**20, places=18))
def test_plain_text_of_a_decimal_is_the_decimal(value: Decimal) -> None:
    """No exponent, no zeros that say nothing, and the same number."""
    text = plain(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))
