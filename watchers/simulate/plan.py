"""Pure: how much a played payment carries, in base units."""

OPEN_PARTS = 100
"""A payment to an open amount is a hundredth of a coin, or the smallest deposit."""


def units_to_pay(scenario: str, due: int | None, *, minimum: int, decimals: int) -> int:
    """Return what to pay of what is `due` now; None where the invoice takes whatever comes.

    No more than `due` is a part: where less than the minimum would be paid it is refused.
    """
    if due is None:
        part: int = 10**decimals // OPEN_PARTS
        return max(part, minimum, 1)
    if due <= 0:
        raise ValueError("nothing is due any more")
    if scenario == "partial":
        part = max(due // 2, minimum)
        if not 0 < part < due:
            raise ValueError("the amount is too small to be paid in part")
        return part
    if scenario == "over":
        return due + max(due // 2, minimum, 1)
    return max(due, minimum)
