"""An order as a person reads it before signing. Pure.

What is signed is shown as it is signed, and amounts are worked out here: the gateway may lie
about decimals and names. Nothing that it sends reaches the terminal as anything but letters.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from keystore.api import Order, order_message
from keystore.approving.wire import Document
from keystore.refusal import Unfit

NATIVE = "native"
TEXT_MAX = 200
DECIMALS_MAX = 36
_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAMILY_DECIMALS = {"ethereum": 18, "tron": 6, "solana": 9}
_TRON_LETTERS = 34
_LATEST_MS = 253_402_300_799_000
"""The end of the year 9999."""


def require_readable(document: Document) -> None:
    """Raise `Unfit` for an order that cannot be shown as it would be signed."""
    order = document.order
    for name in order.__struct_fields__:
        value = getattr(order, name)
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            raise Unfit(f"order.{name}: has letters that a terminal would hide")
    for name in ("units", "fee_ceiling"):
        if _WHOLE.fullmatch(getattr(order, name)) is None:
            raise Unfit(f"order.{name}: must be a plain decimal whole number")
    if not 0 <= order.expires_ms <= _LATEST_MS:
        raise Unfit("order.expires_ms: is no time")
    if order.asset == NATIVE and document.decimals != native_decimals(order):
        raise Unfit("gateway: it lies about the decimals of the network's own coin")


def native_decimals(order: Order) -> int:
    """Return the decimals of the network's own coin, by the form of the destination."""
    if order.to.startswith("0x"):
        return _FAMILY_DECIMALS["ethereum"]
    family = "tron" if order.to.startswith("T") and len(order.to) == _TRON_LETTERS else "solana"
    return _FAMILY_DECIMALS[family]


def lines(document: Document) -> Iterator[str]:
    """Yield the lines of one order; `require_readable` has passed."""
    order, currency = document.order, letters(document.currency)
    yield f"Order {letters(document.id)}, revision {document.revision}. You would sign:"
    amount = coins(order.units, document.decimals)
    unsure = "" if order.asset == NATIVE else f", if {document.decimals} decimals are right"
    yield f"  amount        {amount} {currency}  ({order.units} base units{unsure})"
    yield f"  asset         {order.asset}"
    yield f"  network       {order.network}"
    yield f"  to            {order.to}"
    ceiling = coins(order.fee_ceiling, native_decimals(order))
    yield f"  fee at most   {ceiling} {letters(document.fee_currency)}"
    yield f"  merchant      {order.merchant or 'none: the house refunds'}"
    yield f"  asked for by  {order.requested_by}"
    yield f"  withdrawal    {order.withdrawal_id}"
    yield f"  expires       {moment(order.expires_ms)}"
    yield f"  digest        {digest(order)}"
    yield "The gateway says:"
    yield f"  merchant name {letters(document.merchant_name or '-')}"
    yield f"  address book  {_entry(document)}"
    yield f"  paid there    {_history(document, currency)}"
    rule, people = letters(document.rule or "-"), ", ".join(map(letters, document.approved_by))
    have, need = document.approvals.have, document.approvals.need
    yield f"  approvals     {have} of {need} by rule {rule!r}: {people or 'nobody yet'}"


def digest(order: Order) -> str:
    """Return SHA-256 of what is signed: it names the order to `--yes`, whoever sends it."""
    return hashlib.sha256(order_message(order)).hexdigest()


def _entry(document: Document) -> str:
    entry = document.address_book
    if entry is None:
        return "not in it"
    return f"{letters(entry.label)!r}, usable from {letters(entry.usable_at)}"


def _history(document: Document, currency: str) -> str:
    past = document.history
    if past.completed == 0:
        return "NEVER BEFORE by this merchant"
    first, last = letters(past.first_at or "?"), letters(past.last_at or "?")
    return f"{past.completed} times, {letters(past.amount)} {currency}, {first} to {last}"


def coins(units: str, decimals: int) -> str:
    """Return base units as whole coins, every digit of them."""
    if not 0 <= decimals <= DECIMALS_MAX:
        raise Unfit("gateway: it lies about decimals")
    digits = units.rjust(decimals + 1, "0")
    return digits if decimals == 0 else f"{digits[:-decimals]}.{digits[-decimals:]}"


def moment(milliseconds: int) -> str:
    """Return Unix milliseconds as UTC to the second."""
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def letters(text: str) -> str:
    """Return somebody else's text as one short line without control and direction marks."""
    return "".join(each if each.isprintable() else "?" for each in text)[:TEXT_MAX]
