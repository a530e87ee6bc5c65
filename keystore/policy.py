"""What may be signed. Ordered rules; the first that fits decides, and the last one blocks.

Pure: it sees a payment, what was proved about it and what was signed before, and knows nothing
of keys, files or clocks. A payment fits a rule when network, asset, destination and amounts do;
an amount above a rule's limit, alone or with what the rule allowed in its window, falls to the
next rule. The house's own movements are let go by rules of class `sweep` alone, and payouts
never are. Without a policy file only networks marked `test = true` are served.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from keystore.approvals import Approver
from keystore.intents import EthereumIntent, Intent, Order
from keystore.movement import Kind, Movement
from keystore.networks.scheme import whole
from keystore.refusal import Refused
from keystore.shapes import Class, Family, Purpose

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
    hot: str
    gas: str
    own: frozenset[str]
    """Addresses of the application wallets: a payout to one of them is a mistake."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rolling limit: at most `units` within `hours`, counted from the journal."""

    hours: int
    units: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the policy. An empty set of networks, assets or sources means any.

    An empty set of destinations means any too; in a rule of class `sweep`, no cold address.
    """

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
    sources: frozenset[Purpose] = frozenset()


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
    kind: Kind = "payout"
    source: Purpose = "hot"


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


def require_right_chain(intent: Intent, facts: Facts) -> None:
    """Refuse an intent for another chain than the settings say."""
    if isinstance(intent, EthereumIntent) and intent.chain_id != facts.chain_id:
        raise Refused(
            "wrong_chain_id", f"chain_id: {facts.network} has {facts.chain_id} in the settings"
        )


def require_payee(movement: Movement) -> None:
    """Refuse a destination that no policy may allow; addresses are already normal."""
    if movement.to in NOBODY or movement.to == movement.asset:
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


def lists_cold(policy: Policy | None, network: str, asset: str, to: str) -> bool:
    """Tell whether a rule of class `sweep` names this destination for the house's money."""
    return policy is not None and any(
        rule.kind == "sweep"
        and to in rule.destinations
        and not _excludes(rule.networks, network)
        and not _excludes(rule.assets, asset)
        for rule in policy.rules
    )


def cancels(policy: Policy, payment: Payment, signed_by: str) -> Rule:
    """Return the rule under which the canceled payment was signed: its fee cap still holds.

    Raises `Refused`: `blocked` where the policy has no such rule any more, `fee_above_limit`.
    """
    rule = next((rule for rule in policy.rules if rule.name == signed_by), None)
    if rule is None or rule.kind == "block":
        raise Refused("blocked", f"no rule {signed_by!r}: it let the canceled payment go")
    _require_fee(rule, payment)
    return rule


def decide(policy: Policy, payment: Payment, proof: Proof | None, spent: Spent) -> Rule:
    """Return the rule that allows the payment.

    Raises `Refused`: `blocked` where no rule before the last fits, `approvals_missing` with the
    numbers, `fee_above_limit`.
    """
    rule = next(rule for rule in policy.rules if _fits(rule, payment, proof, policy, spent))
    if rule.kind == "block":
        raise Refused("blocked", f"rule {rule.name!r} blocks this payment")
    _require_fee(rule, payment)
    have = len(rule.approvers & (proof.approvers if proof else frozenset()))
    if have < rule.approvals:
        raise Refused(
            "approvals_missing", f"rule {rule.name!r}: {have} of {rule.approvals} approvals"
        )
    return rule


def _require_fee(rule: Rule, payment: Payment) -> None:
    if rule.fee_max is not None and payment.fee > rule.fee_max:
        raise Refused(
            "fee_above_limit", f"rule {rule.name!r}: fee {payment.fee} above {rule.fee_max}"
        )


def _fits(
    rule: Rule, payment: Payment, proof: Proof | None, policy: Policy, spent: Spent
) -> bool:
    if not _speaks_of(rule, payment):
        return False
    if rule.kind == "merchant_signed" and not _signed_by_merchant(rule, proof, policy):
        return False
    if rule.units_max is not None and payment.units > rule.units_max:
        return False
    window = rule.window
    if window is None:
        return True
    return spent(rule, timedelta(hours=window.hours)) + payment.counted <= window.units


def _speaks_of(rule: Rule, payment: Payment) -> bool:
    """Tell whether a rule is about this payment at all, whatever its amount."""
    house = payment.kind != "payout"
    if rule.kind != "block" and house != (rule.kind == "sweep"):
        return False
    chosen = (
        (rule.networks, payment.network),
        (rule.assets, payment.asset),
        (rule.sources, payment.source),
    )
    if any(_excludes(allowed, value) for allowed, value in chosen):
        return False
    if rule.kind == "sweep":
        return payment.kind != "cold" or payment.to in rule.destinations
    return not _excludes(rule.destinations, payment.to)


def _excludes(allowed: frozenset[str] | frozenset[Purpose], value: str) -> bool:
    return bool(allowed) and value not in allowed


def _signed_by_merchant(rule: Rule, proof: Proof | None, policy: Policy) -> bool:
    """Tell whether the merchant whose money leaves is among those who signed."""
    if proof is None:
        return False
    return any(
        policy.approvers[name].merchant == proof.order.merchant
        for name in rule.approvers & proof.approvers
    )
