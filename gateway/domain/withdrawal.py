"""Who may move a withdrawal, and where to."""

MOVES = {
    "pending": {"approved", "rejected", "canceled"},
    "approved": {"signing", "rejected", "canceled"},
    "signing": {"approved", "broadcast", "failed"},
    "broadcast": {"confirming", "completed", "failed"},
    "confirming": {"broadcast", "completed", "failed"},
    "completed": set[str](),
    "rejected": set[str](),
    "canceled": set[str](),
    "failed": set[str](),
}
"""Before `signing` nothing exists that could land; after it only our own scan decides.

What the keystore would not sign goes back to `approved` and waits its turn again.
"""


def may_move(before: str, after: str) -> bool:
    """Tell whether a withdrawal may go from one state to another."""
    return after in MOVES[before]


def may_approve(*, creator: str, approver: str, units: int, automatic_below_units: int) -> bool:
    """Tell whether this key may approve: never its own request, unless below the limit."""
    return creator != approver or units < automatic_below_units
