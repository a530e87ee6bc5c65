"""Exact money: base units as `int`, decimals as text at the edge, never a float.

Python's default decimal context rounds to 28 digits in silence; uint256 needs 78. Everything
here runs in a context that traps `Inexact` instead.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from functools import cache

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow])
UINT256_MAX = 2**256 - 1

# ASCII digits only: no sign, exponent, NaN, spaces, underscores, separators or other scripts.
PLAIN = re.compile(r"(0|[1-9][0-9]{0,59})(\.[0-9]{1,18})?")

FIAT_DECIMALS = {
    "USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "CAD": 2, "AUD": 2, "JPY": 0, "CNY": 2, "INR": 2,
    "BRL": 2, "TRY": 2, "AED": 2, "UAH": 2, "PLN": 2, "SEK": 2, "NOK": 2, "DKK": 2, "CZK": 2,
}  # fmt: skip
"""ISO 4217 minor digits of the currencies an invoice may be written in."""


class AmountError(ValueError):
    """An amount is not a plain decimal number or has more decimals than its asset."""


def parse_decimal(text: str) -> Decimal:
    """Read a plain decimal string such as `49.90`; refuse every other notation."""
    if not PLAIN.fullmatch(text):
        raise AmountError(f"{text[:40]!r} is not a plain decimal number such as 49.90")
    return Decimal(text)


def to_units(text: str, decimals: int) -> int:
    """Return the base units of a decimal string; refuse to round what somebody wrote."""
    scaled = EXACT.scaleb(parse_decimal(text), decimals)
    if scaled != scaled.to_integral_value():
        raise AmountError(f"{text} has more than {decimals} decimals")
    units = int(scaled)
    if units > UINT256_MAX:
        raise AmountError(f"{text} is larger than any chain can carry")
    return units


def to_text(units: int, decimals: int) -> str:
    """Return base units as a decimal string with exactly `decimals` digits after the point."""
    if not decimals:
        return str(units)
    digits = str(abs(units)).zfill(decimals + 1)
    return f"{'-' if units < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


@cache
def nothing(decimals: int) -> str:
    """Return `to_text` of no units: most of a list says it."""
    return to_text(0, decimals)


def plain(value: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def units_due(amount: Decimal, rate: Decimal, decimals: int) -> int:
    """Return the base units that buy `amount` at `rate` per whole coin, rounded up.

    Up, because rounding down would let a payer settle for less than was asked.
    """
    coins = Fraction(amount) / Fraction(rate)
    return _ceiling(coins * 10**decimals)


def rounded(value: Fraction, decimals: int) -> Decimal:
    """Return a value for display with `decimals` digits, rounded up at the last one."""
    return EXACT.scaleb(Decimal(_ceiling(value * 10**decimals)), -decimals)


def rounded_down(value: Fraction, decimals: int) -> Decimal:
    """Return a value for display with `decimals` digits, cut off after the last one."""
    scaled = value * 10**decimals
    return EXACT.scaleb(Decimal(scaled.numerator // scaled.denominator), -decimals)


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
