"""How much of a currency may still go back to the payer of an invoice; in base units."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

Kind = Literal["full", "excess", "remainder"]


def excess_units(due: int, received: int, others: Sequence[Fraction]) -> int:
    """Return what was received above what the invoice asked, in this currency.

    `due` is the whole invoice in this currency; `others` are the parts of the invoice that other
    currencies have paid.
    """
    share = Fraction(received, due) + sum(others, Fraction(0))
    over = max(share - 1, Fraction(0)) * due
    return min(received, over.numerator // over.denominator)


def refundable(kind: Kind, *, received: int, refunded: int, excess: int) -> int:
    """Return the most that a refund of this kind may pay; never more than is left.

    `full` is all that was received and only where nothing went back yet; `excess` what was too
    much, less what went back; `remainder` whatever is left.
    """
    left = max(received - refunded, 0)
    if kind == "full":
        return 0 if refunded else received
    return min(left, max(excess - refunded, 0)) if kind == "excess" else left
