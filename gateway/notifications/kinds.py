"""What merchants may be told of, and over which channels. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

CHANNELS = ("email", "sms", "chat", "webhook")
ALERT = "security.alert"
KINDS: Mapping[str, tuple[str, ...]] = {
    "invoice.settled": (),
    "invoice.exception": ("email",),
    "withdrawal.completed": (),
    "withdrawal.failed": ("email",),
    "webhook_endpoint.disabled": ("email",),
    ALERT: ("email",),
}
"""Every kind that merchants set channels for, with the channels of those who set none.

All but alerts are events, so an endpoint hears them by its own filter: `webhook` makes a
difference for alerts only, which become an event of their own.
"""
KIND_OF_EVENT: Mapping[str, str] = {
    "invoice.settled": "invoice.settled",
    "invoice.partially_paid": "invoice.exception",
    "invoice.overpaid": "invoice.exception",
    "invoice.paid_late": "invoice.exception",
    "invoice.invalid": "invoice.exception",
    "withdrawal.completed": "withdrawal.completed",
    "withdrawal.failed": "withdrawal.failed",
    "webhook_endpoint.disabled": "webhook_endpoint.disabled",
}
"""The partial index `event_told` names these types; so does the round that reads them."""


def channels(wishes: Mapping[str, Any] | None, kind: str) -> Sequence[str]:
    """Return the channels of a kind: the merchant's own, else the house's."""
    chosen = (wishes or {}).get(kind)
    return KINDS[kind] if chosen is None else [each for each in CHANNELS if each in chosen]
