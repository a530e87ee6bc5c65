"""Reading one field of a request: a value, or an `Invalid` that points at the field."""

from decimal import Decimal

from gateway.domain.errors import Invalid
from gateway.domain.money import AmountError, parse_decimal, to_units


def units(pointer: str, text: str, decimals: int) -> int:
    """Return base units of more than zero."""
    try:
        value = to_units(text, decimals)
    except AmountError as fault:
        raise Invalid.field(pointer, "invalid_amount", str(fault)) from fault
    if value == 0:
        raise Invalid.field(pointer, "invalid_amount", "the amount must be more than zero")
    return value


def amount(pointer: str, text: str, decimals: int) -> Decimal:
    """Return a decimal of more than zero with at most `decimals` digits after the point."""
    units(pointer, text, decimals)
    return parse_decimal(text)
