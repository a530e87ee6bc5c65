"""The keystore's policy as its watcher published it: which rule a payout meets, who has to say yes.

Only for people and for waiting: the keystore decides from its own file. `keystore.policy` holds
the same order of tests; a rule whose list was cut short is not guessed at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

BLOCK = "block"
HOT = "hot"
"""Payouts leave the hot wallet; rules may speak of others."""


class PolicyApprover(msgspec.Struct, frozen=True, kw_only=True):
    """A person whose word counts. `public_key` is hex: Ed25519, or a P-256 point (`passkey`)."""

    name: str
    kind: str
    public_key: str
    subject: str = ""
    subjects: tuple[str, ...] = ()
    merchant: str | None = None

    def asked(self, requested_by: str) -> bool:
        """Tell whether this is who asked for the payment: nobody approves his own request."""
        return requested_by in {self.name, self.subject, *self.subjects}


class PolicyWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A rolling limit in base units, and what the rule let go within it."""

    hours: int
    units: str
    spent: str


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule; empty lists mean any, None no limit. `kind` is its class."""

    name: str
    kind: str
    assets: list[str]
    destinations: list[str]
    destinations_count: int
    sources: list[str]
    units_max: str | None
    window: PolicyWindow | None
    approvals: int
    approvers: list[PolicyApprover]


@dataclass(frozen=True, slots=True)
class Payout:
    """What the rules look at; asset and destination as the keystore spells them."""

    asset: str
    to: str
    units: int
    merchant: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The rule that a payout meets with the proofs that there are, or would meet with more."""

    rule: str
    kind: str
    have: int
    need: int
    reached: bool = True
    """Whether the keystore would get to this rule with the proofs that there are."""

    @property
    def allowed(self) -> bool:
        """Tell whether the keystore would sign, as far as anybody knows."""
        return self.reached and self.kind != BLOCK and self.have >= self.need


def rules_from(snapshot: Sequence[Any]) -> list[PolicyRule]:
    """Read the rules of a snapshot."""
    return msgspec.convert(snapshot, list[PolicyRule])


def approvers_from(snapshot: Sequence[Any]) -> dict[str, PolicyApprover]:
    """Read the approvers of a snapshot, by name."""
    return {each.name: each for each in msgspec.convert(snapshot, list[PolicyApprover])}


def standing(
    rules: Sequence[PolicyRule], payout: Payout, proved: frozenset[str]
) -> Standing | None:
    """Return where a payout stands with the proofs of `proved`; None where nobody can tell.

    Where it is blocked now and a merchant's own word could still let it go, that rule is named.
    """
    found = _first(rules, payout, proved)
    reached = True
    if found is not None and found.kind == BLOCK:
        everybody = frozenset(each.name for rule in rules for each in rule.approvers)
        possible = _first(rules, payout, everybody)
        if possible is not None and possible.kind != BLOCK:
            found, reached = possible, False
    if found is None:
        return None
    have = sum(each.name in proved for each in found.approvers)
    return Standing(found.name, found.kind, have, found.approvals, reached)


def _first(
    rules: Sequence[PolicyRule], payout: Payout, proved: frozenset[str]
) -> PolicyRule | None:
    for rule in rules:
        fits = _fits(rule, payout, proved)
        if fits is not False:
            return rule if fits else None
    return None


def _fits(rule: PolicyRule, payout: Payout, proved: frozenset[str]) -> bool | None:
    if rule.kind == "sweep" or (rule.sources and HOT not in rule.sources):
        return False
    if rule.assets and payout.asset not in rule.assets:
        return False
    if not _within(rule, payout.units):
        return False
    if rule.kind == "merchant_signed" and not any(
        each.name in proved and each.merchant == payout.merchant for each in rule.approvers
    ):
        return False
    if not rule.destinations_count or payout.to in rule.destinations:
        return True
    return None if rule.destinations_count > len(rule.destinations) else False


def _within(rule: PolicyRule, units: int) -> bool:
    if rule.units_max is not None and units > int(rule.units_max):
        return False
    window = rule.window
    return window is None or int(window.spent) + units <= int(window.units)
