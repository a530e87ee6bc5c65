"""What may be signed. Ordered rules; the first that fits decides, and the last one blocks.

Pure: it sees a payment, what was proved about it and what was signed before, and knows nothing
of keys, files or clocks. A payment fits a rule when network, asset, destination and amounts do;
an amount above a rule's limit, alone or with what the rule allowed in its window, falls to the
next rule. Without a policy file only networks marked `test = true` are served.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from keystore.api import EthereumIntent, Family, Intent, Order
from keystore.approvals import Approver
from keystore.networks.scheme import whole
from keystore.refusal import Refused

Class = Literal["automatic", "approved", "merchant_signed", "block"]

NOBODY = frozenset(
    {
        "0x0000000000000000000000000000000000000000",
        "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb",
        "11111111111111111111111111111111",
    }
)
"""The zero address of each family (on Solana the system program): what goes there is gone."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the settings and the wallets say about one network."""

    network: str
    family: Family
    test: bool
    chain_id: int | None
    own: frozenset[str]
    """Addresses of the application wallets: a payment to one of them is a mistake."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rolling limit: at most `units` within `hours`, counted from the journal."""

    hours: int
    units: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the policy. An empty set of networks, assets or destinations means any."""

    name: str
    kind: Class
    networks: frozenset[str] = frozenset()
    assets: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    units_max: int | None = None
    window: Window | None = None
    fee_max: int | None = None
    """Most that the network may take, in its own base units."""
    approvals: int = 0
    approvers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in order, and the people they name."""

    rules: tuple[Rule, ...]
    approvers: Mapping[str, Approver] = field(default_factory=dict)
    fingerprint: str = ""
    """SHA-256 of the file, for the log and the journal."""


@dataclass(frozen=True, slots=True)
class Payment:
    """An intent as the rules see it. `fee` is the most that the network could take.

    `counted` is what it takes from a window: its units, or 0 where it replaces a transaction
    whose units were counted.
    """

    network: str
    asset: str
    to: str
    units: int
    fee: int
    counted: int


@dataclass(frozen=True, slots=True)
class Proof:
    """The order that people approved, and the approvers whose proofs hold."""

    order: Order
    approvers: frozenset[str]


Spent = Callable[[Rule, timedelta], int]
"""Base units that a rule has allowed to leave within the time before now."""


def require_test_network(facts: Facts) -> None:
    """Refuse every signature on a network with real money."""
    if not facts.test:
        raise Refused(
            "not_test_network",
            f"network: {facts.network} is not marked test = true and there is no policy file; "
            "nothing is signed for it",
        )


def require_sound(intent: Intent, facts: Facts) -> None:
    """Raise `Refused` for a payment that no policy may allow; addresses are already normal."""
    if isinstance(intent, EthereumIntent) and intent.chain_id != facts.chain_id:
        raise Refused(
            "wrong_chain_id", f"chain_id: {facts.network} has {facts.chain_id} in the settings"
        )
    if whole(intent.units, "units", bits=256) == 0:
        raise Refused("bad_amount", "units: must be above 0")
    if intent.to in facts.own:
        raise Refused("own_destination", "to: is an application wallet of this keystore")
    if intent.to in NOBODY or intent.to == intent.asset:
        raise Refused("bad_destination", "to: nobody could ever spend from there")


def require_same(order: Order, payment: Payment, withdrawal_id: str, now_ms: int) -> None:
    """Raise `Refused` unless the approved order is this very payment and still counts."""
    asked = {
        "withdrawal_id": (order.withdrawal_id, withdrawal_id),
        "network": (order.network, payment.network),
        "asset": (order.asset, payment.asset),
        "to": (order.to, payment.to),
        "units": (order.units, str(payment.units)),
    }
    for name, (approved, wanted) in asked.items():
        if approved != wanted:
            raise Refused("not_what_was_approved", f"order.{name}: the intent says otherwise")
    if payment.fee > whole(order.fee_ceiling, "order.fee_ceiling", bits=256):
        raise Refused("fee_above_limit", "order.fee_ceiling: the intent may cost more")
    if order.expires_ms <= now_ms:
        raise Refused("approval_expired", "order.expires_ms: is past")


def decide(policy: Policy, payment: Payment, proof: Proof | None, spent: Spent) -> Rule:
    """Return the rule that allows the payment.

    Raises `Refused`: `blocked` where no rule before the last fits, `approvals_missing` with the
    numbers, `fee_above_limit`.
    """
    rule = next(rule for rule in policy.rules if _fits(rule, payment, proof, policy, spent))
    if rule.kind == "block":
        raise Refused("blocked", f"rule {rule.name!r} blocks this payment")
    if rule.fee_max is not None and payment.fee > rule.fee_max:
        raise Refused(
            "fee_above_limit", f"rule {rule.name!r}: fee {payment.fee} above {rule.fee_max}"
        )
    have = len(rule.approvers & (proof.approvers if proof else frozenset()))
    if have < rule.approvals:
        raise Refused(
            "approvals_missing", f"rule {rule.name!r}: {have} of {rule.approvals} approvals"
        )
    return rule


def _fits(
    rule: Rule, payment: Payment, proof: Proof | None, policy: Policy, spent: Spent
) -> bool:
    chosen = (
        (rule.networks, payment.network),
        (rule.assets, payment.asset),
        (rule.destinations, payment.to),
    )
    if any(allowed and value not in allowed for allowed, value in chosen):
        return False
    if rule.kind == "merchant_signed" and not _signed_by_merchant(rule, proof, policy):
        return False
    if rule.units_max is not None and payment.units > rule.units_max:
        return False
    window = rule.window
    if window is None:
        return True
    return spent(rule, timedelta(hours=window.hours)) + payment.counted <= window.units


def _signed_by_merchant(rule: Rule, proof: Proof | None, policy: Policy) -> bool:
    """Tell whether the merchant whose money leaves is among those who signed."""
    if proof is None:
        return False
    return any(
        policy.approvers[name].merchant == proof.order.merchant
        for name in rule.approvers & proof.approvers
    )
