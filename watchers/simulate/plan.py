"""Pure: how much a played payment carries, in base units."""

from dataclasses import dataclass

OPEN_PARTS = 100
"""A payment to an open amount is a hundredth of a coin, or the smallest deposit."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is still due in one coin: as the invoice says it, and as any of its locks would.

    After fresh rates a payer may have seen older ones: `least` is enough by one of them, and what
    is above `most` is too much by all.
    """

    said: int
    least: int
    most: int


def units_to_pay(scenario: str, due: Due | None, *, minimum: int, decimals: int) -> int:
    """Return what to pay of what is `due` now; None where the invoice takes whatever comes.

    No more than what is due is a part: where less than the minimum would be paid it is refused.
    """
    if due is None:
        part: int = 10**decimals // OPEN_PARTS
        return max(part, minimum, 1)
    if due.said <= 0:
        raise ValueError("nothing is due any more")
    if scenario == "partial":
        part = max(due.least // 2, minimum)
        if not 0 < part < due.least:
            raise ValueError("the amount is too small to be paid in part")
        return part
    if scenario == "over":
        return due.most + max(due.most // 2, minimum, 1)
    return max(due.said, minimum)
