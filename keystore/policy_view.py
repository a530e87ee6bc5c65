"""The rules that speak of one network, as an answer that fits its line. Pure; no secret is in it."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from keystore.api import LINE_BYTES_MAX
from keystore.approvals import Approver
from keystore.published import PublishedApprover, PublishedRule, PublishedWindow, Rules
from keystore.rules import Past, Policy, Rule, Window

DESTINATIONS_MAX = 100
_ENVELOPE_BYTES = 1_024
"""More than everything beside the rules takes."""


def shown(policy: Policy | None, network: str, after: int, past: Past) -> Rules:
    """Return the rules behind the first `after`, as many as one reply holds."""
    if policy is None:
        return Rules(policy="", rules=[], more=False)
    speaking = [rule for rule in policy.rules if not rule.networks or network in rule.networks]
    rules: list[PublishedRule] = []
    room = LINE_BYTES_MAX - _ENVELOPE_BYTES
    for rule in speaking[after:]:
        published = _published(rule, policy, past)
        room -= len(msgspec.json.encode(published)) + 1
        if room < 0:
            break
        rules.append(published)
    return Rules(
        policy=policy.fingerprint, rules=rules, more=after + len(rules) < len(speaking)
    )


def _published(rule: Rule, policy: Policy, past: Past) -> PublishedRule:
    return PublishedRule(
        name=rule.name,
        kind=rule.kind,
        assets=sorted(rule.assets),
        destinations=sorted(rule.destinations)[:DESTINATIONS_MAX],
        destinations_count=len(rule.destinations),
        sources=sorted(rule.sources),
        units_max=_spelled(rule.units_max),
        window=_window(rule.window, lambda time: past.units(rule.name, time)),
        fee_max=_spelled(rule.fee_max),
        fee_window=_window(rule.fee_window, lambda time: past.fees(rule.name, time)[0]),
        approvals=rule.approvals,
        approvers=[_person(policy.approvers[name]) for name in sorted(rule.approvers)],
    )


def _window(window: Window | None, gone: Callable[[timedelta], int]) -> PublishedWindow | None:
    if window is None:
        return None
    spent = gone(window.length)
    return PublishedWindow(hours=window.hours, units=str(window.units), spent=str(spent))


def _spelled(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def _person(approver: Approver) -> PublishedApprover:
    return PublishedApprover(
        name=approver.name,
        kind="key" if isinstance(approver.proof, Ed25519PublicKey) else "passkey",
        public_key=approver.public_key.hex(),
        subject=next(iter(approver.subjects), ""),
        subjects=list(approver.subjects),
        merchant=approver.merchant,
    )
