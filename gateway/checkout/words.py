"""An invoice in words: its state as a payer understands it, amounts and times to be read."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from gateway.invoices.documents import InvoiceDocument, PaymentOptionDocument

State = Literal[
    "waiting", "partial", "seen", "paid", "over", "late", "expired", "canceled", "invalid"
]
OPEN: frozenset[State] = frozenset({"waiting", "partial"})
"""The payer may still pay."""
MOVING: frozenset[State] = frozenset({"waiting", "partial", "seen"})
"""Something is going to happen soon."""
DECIMALS_MIN = 2

TITLES: dict[State, str] = {
    "waiting": "Waiting for your payment",
    "partial": "A part of it has arrived",
    "seen": "Payment seen",
    "paid": "Paid",
    "over": "Paid, and more than was asked",
    "late": "Paid",
    "expired": "The time to pay is over",
    "canceled": "Canceled",
    "invalid": "This payment cannot be accepted",
}

_SETTLED: dict[str, State] = {"paid_over": "over", "paid_late": "late"}
_CLOSED: dict[str, State] = {
    "processing": "seen",
    "expired": "expired",
    "canceled": "canceled",
    "invalid": "invalid",
}

# Characters that reorder what stands beside them; a merchant's name must not rewrite the page.
_REORDERING = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def state_of(invoice: InvoiceDocument, now: datetime) -> State:
    """Return what the payer has to know; the clock decides before the worker has come round."""
    if invoice.status == "settled":
        return _SETTLED.get(invoice.exception, "paid")
    if invoice.status != "pending":
        return _CLOSED[invoice.status]
    if now >= invoice.expires_at:
        return "expired"
    return "partial" if invoice.exception == "paid_partial" else "waiting"


def explanation(state: State, invoice: InvoiceDocument, merchant: str, *, chosen: bool) -> str:
    """Return what the payer should do, or need not do; `chosen` once a method has an address."""
    paid = f"{invoice.amount_paid} {invoice.currency}"
    due = f"{invoice.amount_due} {invoice.currency}"
    over = f"{invoice.amount_overpaid} {invoice.currency}"
    some = invoice.exception == "paid_partial"
    came = some or invoice.exception == "paid_late"
    return {
        "waiting": _what_to_do(any_amount=invoice.amount is None, chosen=chosen),
        "partial": f"{paid} has arrived, {due} is still due."
        + (" Send the rest before time is over." if _can_be_paid(invoice) else ""),
        "seen": "The network is confirming it. You can close this page.",
        "paid": f"{merchant} has received your payment. Thank you.",
        "over": f"You have paid {over} more than was asked. {merchant} can give it back to you.",
        "late": f"Your payment came after the time limit, and {merchant} has accepted it.",
        "expired": (f"{paid} has arrived, {due} has not. " if some else "")
        + f"Do not send anything any more. If you have just paid, nothing is lost: "
        f"{merchant} will see it. Ask there, or for a new invoice.",
        "canceled": f"{merchant} has called this invoice off. Do not send anything any more."
        + (f" {paid} has arrived: ask {merchant} for it." if came else ""),
        "invalid": f"Please ask {merchant} what happened to your payment.",
    }[state]


def _can_be_paid(invoice: InvoiceDocument) -> bool:
    return any(option.available for option in invoice.payment_options)


def _what_to_do(*, any_amount: bool, chosen: bool) -> str:
    if chosen:
        what = "as much as you like" if any_amount else "the exact amount in one payment"
        return f"Send {what}. This page follows by itself."
    holds = "" if any_amount else "; the price holds until the time is over"
    return f"Choose how you want to pay{holds}."


def method_name(option: PaymentOptionDocument) -> str:
    """Return `USDT on TRON`."""
    return f"{option.currency} on {option.network_name}"


def trimmed(amount: str) -> str:
    """Return an amount without zeros that say nothing, but with two decimals: `49.90`."""
    whole, point, decimals = amount.partition(".")
    if not point:
        return whole
    kept = decimals.rstrip("0").ljust(min(DECIMALS_MIN, len(decimals)), "0")
    return f"{whole}.{kept}"


def duration(left: timedelta) -> str:
    """Return a time that is left, in its largest fitting unit."""
    seconds = max(int(left.total_seconds()), 0)
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        # Below two of a unit the next smaller one says more; there are no half minutes.
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return "1 minute" if seconds >= 60 else counted(seconds, "second")


def counted(count: int, unit: str) -> str:
    """Return `1 second` or `2 seconds`."""
    return f"{count} {unit}{'' if count == 1 else 's'}"


def clock(at: datetime, now: datetime) -> str:
    """Return a time of day in UTC, with its date where it is not today's."""
    pattern = "%H:%M UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M UTC"
    return f"{at:{pattern}}"


def sentence(detail: str) -> str:
    """Return it as people write; the names of coins in it stay as they are."""
    return f"{detail[:1].upper()}{detail[1:]}."


def clean(text: str) -> str:
    """Return foreign text without control characters and without any that reorder the page."""
    return "".join(
        " " if unicodedata.category(letter) == "Cc" else letter
        for letter in text
        if letter not in _REORDERING
    ).strip()


def current_option(
    options: Sequence[PaymentOptionDocument], wanted: str | None
) -> PaymentOptionDocument | None:
    """Return the option to show: the wanted one, one that was paid with, any with an address."""
    ready = [option for option in options if option.address is not None]
    for option in ready:
        if option.payment_method == wanted:
            return option
    paid = [option for option in ready if option.amount_paid.strip("0.")]
    return next(iter([*paid, *ready]), None)
