"""Pure: which transactions of an order compete for its place, and what may compete with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.models import Attempt
from watchers.network import NATIVE
from watchers.pay.keepers import CANCEL

FEES = ("max_fee_per_gas", "max_priority_fee_per_gas")
FREE = {*FEES, "gas_limit"}
"""What a transaction that takes another back may say as it needs."""
ADVANCE = "solana_advance"
LANE = ("withdrawal_id", "network", "nonce_account", "nonce_value")
"""What one that advances a durable nonce has in common with what it takes back."""


def same_but_fees(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two intents are one payment at two prices."""
    names = {*one, *other} - set(FEES)
    return all(one.get(name) == other.get(name) for name in names)


def moves_nothing(intent: Mapping[str, Any], sender: str) -> bool:
    """Tell whether an intent sends nothing to the sender itself, or advances a nonce alone."""
    if intent.get("family") == ADVANCE:
        return True
    facts = (intent.get("asset"), intent.get("units"), str(intent.get("to")).lower())
    return facts == (NATIVE, "0", sender.lower())


def bid(intent: Mapping[str, Any]) -> int:
    """Return what a transaction that moves nothing may take, in wei: all its gas at its price (EVM)."""
    return int(intent["gas_limit"]) * int(intent["max_fee_per_gas"])


def takes_back(intent: Mapping[str, Any], other: Mapping[str, Any], sender: str) -> bool:
    """Tell whether `intent` does nothing but stand in the place of `other`."""
    if intent.get("family") == ADVANCE:
        return all(intent.get(name) == other.get(name) for name in LANE)
    kept = {*intent, *other} - FREE - {"asset", "to", "units", "pool_index"}
    same = all(intent.get(name) == other.get(name) for name in kept)
    return same and moves_nothing(intent, sender)


def fault(order: Sequence[Attempt], attempt: Attempt) -> str | None:
    """Say why a later transaction of an order must not be signed; None where nothing is wrong.

    `order` holds the order's transactions by place, `attempt` among them.
    """
    if attempt.place == 1:
        return "a cancel of nothing" if attempt.purpose == CANCEL else None
    first = order[0]
    if attempt.purpose == CANCEL:
        sound = takes_back(attempt.intent, first.intent, attempt.sender)
        return None if sound else "the cancel does more than to take its place: needs a person"
    if not same_but_fees(attempt.intent, first.intent):
        return "the replacement is another payment: needs a person"
    return None
