"""What a message says: ids, amounts and states only, and no word that a stranger chose. Pure."""

from collections.abc import Mapping
from typing import Any

Words = tuple[str, str]
"""Subject and body."""

_EXCEPTIONS = {
    "invoice.partially_paid": "was paid in part",
    "invoice.overpaid": "was paid too much",
    "invoice.paid_late": "was paid late",
    "invoice.invalid": "is not valid any more",
}
_ALERTS = {
    "address_book.added": "An address was added to the address book",
    "api_key.changed": "An API key was changed",
    "api_key.created": "A new API key was made",
    "api_key.outlives_maker": "An API key stays in force whose maker left or may do less now",
    "api_key.rolled": "An API key got a new secret",
    "invitation.created": "Somebody was invited",
    "notification_target.deleted": "A place for SMS or chat messages was removed",
    "payout_rule.changed": "A rule for automatic payouts was changed",
    "payout_rule.created": "A rule for automatic payouts was made",
    "session.created": "Somebody signed in from a place that is new",
    "settings.security_changed": "The allowed addresses or the demand for signatures were changed",
    "user.role_changed": "Somebody has another role in the team",
    "webhook_endpoint.changed": "A webhook endpoint was changed",
    "webhook_endpoint.created": "A webhook endpoint was added",
    "webhook_endpoint.deleted": "A webhook endpoint was removed",
    "webhook_endpoint.secret_rotated": "A webhook endpoint got a new secret",
    "withdrawal_settings.changed": "The rules for withdrawals were changed",
}
ALERTS = frozenset(_ALERTS)
"""Changes of the audit log that a merchant is warned of."""


def of_event(type_: str, data: Mapping[str, Any], *, livemode: bool) -> Words:
    """Tell of an event whose `data.object` is the whole invoice, withdrawal or endpoint."""
    thing = data["object"]
    subject, lines = _SHAPES[type_.partition(".")[0]](type_, thing, data)
    test = "" if livemode else "[test] "
    return f"{test}{subject}", "\n".join(lines) + "\n"


def of_change(action: str, subject: str, actor: str, address: str | None) -> Words:
    """Tell of a change in the audit log: which object, whose key or account, from where."""
    lines = [
        f"{_ALERTS[action]}: {subject}",
        f"By: {actor}",
        f"From: {address or 'the gateway itself'}",
        "",
        "If this was nobody of yours, revoke the key or session and change the password.",
    ]
    return _ALERTS[action], "\n".join(lines) + "\n"


def _invoice(
    type_: str, invoice: Mapping[str, Any], _: Mapping[str, Any]
) -> tuple[str, list[str]]:
    state = "is settled" if type_ == "invoice.settled" else _EXCEPTIONS[type_]
    currency = invoice["currency"]
    return f"Invoice {invoice['id']} {state}", [
        f"Invoice {invoice['id']} {state}.",
        *(
            f"{name}: {amount} {currency}"
            for name, amount in (
                ("Amount", invoice["amount"]),
                ("Paid", invoice["amount_paid"]),
                ("Due", invoice["amount_due"]),
            )
            if amount is not None  # an invoice that takes whatever comes asks for none
        ),
    ]


def _withdrawal(
    type_: str, withdrawal: Mapping[str, Any], _: Mapping[str, Any]
) -> tuple[str, list[str]]:
    state = "is completed" if type_ == "withdrawal.completed" else "has failed"
    return f"Withdrawal {withdrawal['id']} {state}", [
        f"Withdrawal {withdrawal['id']} {state}.",
        f"Amount: {withdrawal['amount']} {withdrawal['payment_method']}",
        f"To: {withdrawal['destination']}",
        f"Transaction: {withdrawal.get('tx_hash') or 'none'}",
    ]


def _endpoint(
    _: str, endpoint: Mapping[str, Any], data: Mapping[str, Any]
) -> tuple[str, list[str]]:
    return f"Webhook endpoint {endpoint['id']} was disabled", [
        f"Webhook endpoint {endpoint['id']} was disabled: {data['reason']}.",
        "Nothing is lost: GET /v1/events lists what happened since. Enable it with PATCH.",
    ]


_SHAPES = {"invoice": _invoice, "withdrawal": _withdrawal, "webhook_endpoint": _endpoint}
