"""Taxes on an invoice: the amount always contains them. Rates are percentages."""

from decimal import Decimal
from fractions import Fraction

from gateway.domain.money import rounded, rounded_down


def with_tax(net: Decimal, rate: Decimal, decimals: int) -> Decimal:
    """Return what somebody pays for `net`, rounded up to the currency's last digit."""
    return rounded(Fraction(net) * (1 + Fraction(rate) / 100), decimals)


def tax_in(gross: Decimal, rate: Decimal, decimals: int) -> Decimal:
    """Return the tax that an amount contains, rounded to the nearest last digit, half up."""
    part = Fraction(gross) * Fraction(rate) / (100 + Fraction(rate))
    return rounded_down(part + Fraction(1, 2 * 10**decimals), decimals)
