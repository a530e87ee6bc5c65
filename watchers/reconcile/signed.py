"""One transaction of the keystore's journal against our rows: the decision, pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from keystore.api import Intent, Remembered, SolanaSweepIntent
from watchers.chain import asset_key
from watchers.network import NATIVE

NO_ROW = "the keystore signed it and no row of ours knows it"
NOT_IN_JOURNAL = "our rows call it signed and the keystore's journal does not have it"
NO_NUMBER = "our rows call it signed under no number of the keystore's"
DIFFERS = "our rows say something else than was signed"


@dataclass(frozen=True, slots=True)
class Row:
    """What our rows say of one signed transaction.

    `number` is the keystore's, None without one; `contradiction` is what the withdrawal that it
    pays says against it.
    """

    order_id: str
    sender: str
    intent: Mapping[str, Any]
    raw: bytes | None
    number: int | None
    contradiction: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A transaction that one side knows otherwise than the other, or alone.

    `number` is the keystore's, None where its journal has none. Amounts are base units of
    `assets`, by the journal and by our rows.
    """

    tx_hash: str
    order_id: str
    number: int | None
    signed_units: int
    known_units: int
    assets: frozenset[str]
    reason: str


def compared(payment: Remembered, row: Row | None) -> Finding | None:
    """Compare one transaction of the journal with our row of it; None where they agree."""
    reason = NO_ROW if row is None else _difference(payment, row)
    if reason is None:
        return None
    intents = [_spelled(payment.intent)]
    known = None if row is None else understood(row.intent)
    if known is not None:
        intents.append(known)
    return Finding(
        payment.signed.tx_hash,
        payment.intent.withdrawal_id,
        payment.signed.number,
        amount(payment.intent),
        amount(known),
        frozenset(map(asset, intents)),
        reason,
    )


def ours_alone(tx_hash: str, order_id: str, intent: Mapping[str, Any], reason: str) -> Finding:
    """Describe what our rows call signed and the journal does not have."""
    known = understood(intent)
    assets = frozenset({asset(known)}) if known is not None else frozenset()
    return Finding(tx_hash, order_id, None, 0, amount(known), assets, reason)


def _difference(payment: Remembered, row: Row) -> str | None:
    """Name everything in which a row is not what was signed; None where it is that."""
    signed = payment.signed
    same = {
        "number": row.number in (None, signed.number),  # without one it is in `ours_alone`
        "order": row.order_id == payment.intent.withdrawal_id,
        "sender": row.sender == signed.sender,
        "intent": understood(row.intent) == _spelled(payment.intent),
        "bytes": row.raw == bytes.fromhex(signed.raw),
    }
    wrong = [name for name, agrees in same.items() if not agrees]
    return f"{DIFFERS}: {', '.join(wrong)}" if wrong else row.contradiction


def understood(fields: Mapping[str, Any]) -> Intent | None:
    """Return a stored intent as the keystore reads it, `_spelled`; None where it is none."""
    try:
        found: Intent = msgspec.convert(dict(fields), Intent)
    except msgspec.ValidationError:
        return None
    return _spelled(found)


def _spelled(intent: Intent) -> Intent:
    """Return an intent with its addresses as blocks name them.

    Our rows keep a contract as it is configured, on EVM chains mostly with the checksum of
    EIP-55; the journal keeps it in lower case.
    """
    names = [name for name in ("asset", "to") if hasattr(intent, name)]
    spelled = {name: asset_key(getattr(intent, name)) for name in names}
    return msgspec.structs.replace(intent, **spelled)


def amount(intent: Intent | None) -> int:
    """Return what an intent moves, in base units; 0 where it is none, or says no number."""
    moved = intent.sources if isinstance(intent, SolanaSweepIntent) else [intent]
    units = [str(getattr(each, "units", "")) for each in moved]
    return sum(int(each) for each in units if each.isdecimal())


def asset(intent: Intent) -> str:
    """Return what an intent moves, as it writes it: a contract, a mint, or the coin."""
    return str(getattr(intent, "asset", NATIVE))
