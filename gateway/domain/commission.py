"""How what a payment earned is shared among those who referred its payer; pure."""

from collections.abc import Sequence

WHOLE = 10_000
"""Basis points of everything."""
LEVELS_MAX = 10


def are_sound(rates: Sequence[int]) -> bool:
    """Tell whether the rates of levels 1, 2, ... share no more than everything."""
    return len(rates) <= LEVELS_MAX and all(rate >= 0 for rate in rates) and sum(rates) <= WHOLE


def shares(pot_units: int, rates: Sequence[int]) -> list[int]:
    """Return each level's base units, rounded down: together never more than the pot."""
    if not are_sound(rates):
        raise ValueError(f"rates {list(rates)} share more than there is")
    return [pot_units * rate // WHOLE for rate in rates]
