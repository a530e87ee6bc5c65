"""The policy of a keystore that has to withstand everybody: two people, and the house's sweeps."""

import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import api

ALICE, BOB, MALLORY = (Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (7, 8, 9))
HOUR_MS = 3_600_000


def policy_text(network: str, fee_max: int) -> str:
    """Return a policy file: every payout needs Alice or Bob."""
    keys = {
        name: key.public_key().public_bytes_raw().hex()
        for name, key in (("alice", ALICE), ("bob", BOB))
    }
    people = "\n".join(
        f'[[approvers]]\nname = "{name}"\nsubject = "usr_{name}"\nkey = "{key}"\n'
        for name, key in keys.items()
    )
    return f"""{people}
[[rules]]
name = "one of two people"
class = "approved"
networks = ["{network}"]
fee_max = "{fee_max}"
approvals = 1
approvers = ["alice", "bob"]

[[rules]]
name = "house"
class = "sweep"
networks = ["{network}"]
fee_max = "{fee_max}"
fee_window = {{ hours = 24, units = "{100 * fee_max}" }}

[[rules]]
name = "everything else"
class = "block"
"""


def order_for(intent: api.EthereumIntent, **changes: Any) -> api.Order:
    """Return the order that fits an intent, with `changes`."""
    fields: dict[str, Any] = {
        "withdrawal_id": intent.withdrawal_id,
        "network": intent.network,
        "asset": intent.asset,
        "to": intent.to,
        "units": intent.units,
        "fee_ceiling": str(10**16),
        "merchant": "mer_1",
        "requested_by": "key_maker",
        "expires_ms": time.time_ns() // 1_000_000 + HOUR_MS,
    }
    return api.Order(**{**fields, **changes})


def said_yes(
    order: api.Order, key: Ed25519PrivateKey = ALICE, name: str = "alice"
) -> api.KeyApproval:
    """Return somebody's approval of an order."""
    return api.KeyApproval(approver=name, signature=key.sign(api.order_message(order)).hex())
