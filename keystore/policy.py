"""What may be signed. Ordered rules; the first that fits decides, and the last one blocks.

Pure: it sees a payment, what was proved about it and what was signed before, and knows nothing
of keys, files or clocks. A payment fits a rule when network, asset, destination and amounts do;
an amount or a fee above a rule's limits, alone or with what the rule allowed in its windows,
falls to the next rule. The house's own movements are let go by rules of class `sweep` alone, and
payouts never are. Without a policy file only networks marked `test = true` are served.
"""

from keystore.intents import Order
from keystore.networks.scheme import whole
from keystore.refusal import Refused
from keystore.rules import Past, Payment, Policy, Proof, Rule
from keystore.shapes import Purpose


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
    _require_ceiling(order, payment)
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


def decide_again(
    policy: Policy, payment: Payment, signed_by: str, order: Order | None, past: Past
) -> Rule:
    """Return the rule under which a slot was taken: no other decides what stands in its place.

    Nobody is asked again, and the order that was approved keeps its ceiling, expired or not; a
    cancel has no order, and moves nothing: where the policy has no such rule any more, any of
    its network that bounds fees lets it go. Raises `Refused`: `blocked` where there
    is none, `fee_above_limit`, `fee_window`.
    """
    here = [
        rule
        for rule in policy.rules
        if rule.kind != "block" and not _excludes(rule.networks, payment.network)
    ]
    rule = next((rule for rule in here if rule.name == signed_by), None)
    if rule is None and payment.kind == "cancel":
        bounded = [rule for rule in here if rule.fee_max is not None]
        fits = (rule for rule in bounded if _may_cost(rule, payment, past))
        rule = next(fits, bounded[0] if bounded else None)
    if rule is None:
        raise Refused("blocked", f"no rule {signed_by!r}: it let the first transaction go")
    _require_fee(rule, payment)
    if order is not None and payment.kind != "cancel":
        _require_ceiling(order, payment)
    if not _fees_fit(rule, payment, past):
        raise _fees_used_up(rule)
    return rule


def decide(policy: Policy, payment: Payment, proof: Proof | None, past: Past) -> Rule:
    """Return the rule that allows the payment.

    Raises `Refused`: `blocked` where no rule before the last fits, `fee_window` where one would
    but for its fees, `approvals_missing` with the numbers, `fee_above_limit`.
    """
    used_up: Rule | None = None
    for rule in policy.rules:
        if not _fits(rule, payment, proof, policy, past):
            continue
        if rule.kind == "block":
            break
        _require_fee(rule, payment)
        if _fees_fit(rule, payment, past):
            _require_approvals(rule, proof)
            return rule
        used_up = used_up or rule
    if used_up is not None:
        raise _fees_used_up(used_up)
    raise Refused("blocked", f"rule {rule.name!r} blocks this payment")


def _require_approvals(rule: Rule, proof: Proof | None) -> None:
    have = len(rule.approvers & (proof.approvers if proof else frozenset()))
    if have < rule.approvals:
        raise Refused(
            "approvals_missing", f"rule {rule.name!r}: {have} of {rule.approvals} approvals"
        )


def _require_ceiling(order: Order, payment: Payment) -> None:
    if payment.fee > whole(order.fee_ceiling, "order.fee_ceiling", bits=256):
        raise Refused("fee_above_limit", "order.fee_ceiling: the intent may cost more")


def _require_fee(rule: Rule, payment: Payment) -> None:
    if rule.fee_max is not None and payment.fee > rule.fee_max:
        raise Refused(
            "fee_above_limit", f"rule {rule.name!r}: fee {payment.fee} above {rule.fee_max}"
        )


def _may_cost(rule: Rule, payment: Payment, past: Past) -> bool:
    within = rule.fee_max is None or payment.fee <= rule.fee_max
    return within and _fees_fit(rule, payment, past)


def _fees_fit(rule: Rule, payment: Payment, past: Past) -> bool:
    if rule.fee_window is None:
        return True
    fees, counted = past.fees(rule.name, rule.fee_window.length, payment.slot)
    return fees - counted + max(counted, payment.fee) <= rule.fee_window.units


def _fees_used_up(rule: Rule) -> Refused:
    return Refused("fee_window", f"rule {rule.name!r}: the fees of its fee_window are used up")


def _fits(
    rule: Rule, payment: Payment, proof: Proof | None, policy: Policy, past: Past
) -> bool:
    if not speaks_of(rule, payment):
        return False
    if rule.kind == "merchant_signed" and not _signed_by_merchant(rule, proof, policy):
        return False
    if rule.units_max is not None and payment.units > rule.units_max:
        return False
    window = rule.window
    if window is None:
        return True
    return past.units(rule.name, window.length) + payment.counted <= window.units


def speaks_of(rule: Rule, payment: Payment) -> bool:
    """Tell whether a rule is about this payment at all, whatever its amount."""
    chosen = (
        (rule.networks, payment.network),
        (rule.assets, payment.asset),
        (rule.sources, payment.source),
    )
    if any(_excludes(allowed, value) for allowed, value in chosen):
        return False
    if rule.kind == "sweep":
        return payment.kind != "payout" and _moves(rule, payment)
    if rule.kind != "block" and payment.kind != "payout":
        return False
    return not _excludes(rule.destinations, payment.to)


def _moves(rule: Rule, payment: Payment) -> bool:
    """Tell whether a rule of class `sweep` is about this kind of movement.

    What is staked is away for days: only a rule that says how much lets it go.
    """
    if payment.kind == "stake" and (rule.units_max is None or rule.window is None):
        return False
    return payment.to in rule.destinations if payment.kind == "cold" else not rule.destinations


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
