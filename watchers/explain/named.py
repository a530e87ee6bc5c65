"""Pure: what no transaction of the chain carries, under the names that our own rows give it."""

import re

from watchers.explain.facts import Evidence, Gate

_NAME = re.compile(
    r"withdrawal:[0-9]{1,20}|balance:[0-9A-Za-z]{1,90}:[0-9A-Za-z]{1,64}", re.ASCII
)
ROSE = (
    "its balance rose in this block, or below it where no node keeps older states, and no node "
    "shows by which transaction"
)
FOUND = {
    "balance": "our reconciler found it by comparing balances in final blocks",
    "withdrawal": "it belongs to its block, as our scan proved it",
}


def is_our_name(text: str) -> bool:
    """Tell whether rows of ours are named so: beacon withdrawals and balance differences."""
    return _NAME.fullmatch(text) is not None


def gates(evidence: Evidence) -> tuple[Gate, ...]:
    """Return the gates of what is known from our rows alone; no node knows such a name."""
    height, scanned = evidence.height, evidence.scanned_height
    shown = {"height": height, "scanned_height": scanned}
    names = ("block_complete", "success", "scanned")
    row = next((move for move in evidence.moves if move.deposit_id is not None), None)
    if row is None or height is None:
        detail = "no node knows this name, and no row of yours has it"
        below = (Gate(name, "unknown", "an earlier gate is not open") for name in names)
        return (Gate("seen_by_provider", "unknown", detail), *below)
    at = "not known" if scanned is None else f"at {scanned}"
    return (
        Gate("seen_by_provider", "yes", f"our own rows have it, in block {height}", shown),
        Gate("block_complete", "yes", FOUND.get(row.kind, FOUND["withdrawal"])),
        Gate("success", "yes", "it is no transaction, and cannot fail"),
        Gate("scanned", "yes", f"our scan stands {at}", shown),
    )
