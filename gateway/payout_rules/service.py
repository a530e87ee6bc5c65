"""Making, changing and ending payout rules; one that approves itself needs the right to approve."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from gateway.address_book.repository import entry_of
from gateway.domain.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.domain.fields import units
from gateway.domain.money import AmountError, to_units
from gateway.models import AddressBookEntry, Currency, PayoutRule
from gateway.payout_rules.documents import PayoutRuleDocument, rule_document
from gateway.payout_rules.repository import rule_of
from gateway.withdrawals.request import method_of
from gateway.withdrawals.service import Gate

APPROVING = "withdrawals:approve"


async def create_rule(
    gate: Gate, payment_method: str, wanted: Mapping[str, Any]
) -> PayoutRuleDocument:
    """Begin a rule for a payment method that has none."""
    actor, at = gate.actor, gate.moment.at
    currency, _ = await method_of(gate.session, actor, payment_method)
    columns = await _columns(gate, currency, wanted)
    _require_sound(gate, columns)
    values = {
        "id": gate.moment.id("rul"),
        "merchant_id": actor.tenant,
        "livemode": actor.livemode,
        "currency_id": currency.id,
        **columns,
        "reason": None,
        "created_by": actor.key_id,
        "created_at": at,
        "updated_at": at,
        "deleted_at": None,
    }
    added = await gate.session.scalar(
        insert(PayoutRule).values(values).on_conflict_do_nothing().returning(PayoutRule)
    )
    if added is None:
        raise Conflict("this payment method has a rule already", code="rule_exists")
    await gate.note("payout_rule.created", added.id, _told(columns))
    return await _shaped(gate, added, currency)


async def change_rule(
    gate: Gate, rule_id: str, wanted: Mapping[str, Any]
) -> PayoutRuleDocument:
    """Set what is given; the rule as it then is must be one that this key may make."""
    row = await _standing(gate, rule_id)
    currency = await gate.session.get_one(Currency, row.currency_id)
    columns = await _columns(gate, currency, wanted)
    after = {name: value for name, value in columns.items() if getattr(row, name) != value}
    before = {name: getattr(row, name) for name in after}
    if after:
        for name, value in after.items():
            setattr(row, name, value)
        _require_sound(gate, {name: getattr(row, name) for name in COLUMNS})
        row.updated_at = gate.moment.at
        row.reason = None
        await gate.session.flush()
        await gate.note("payout_rule.changed", row.id, _told(after), before=_told(before))
    return await _shaped(gate, row, currency)


async def delete_rule(gate: Gate, rule_id: str) -> PayoutRuleDocument:
    """End a rule; what it has asked for goes on."""
    row = await _standing(gate, rule_id)
    row.deleted_at = row.updated_at = gate.moment.at
    await gate.session.flush()
    after = {"deleted_at": gate.moment.at.isoformat()}
    await gate.note("payout_rule.deleted", row.id, after, before={"deleted_at": None})
    return await _shaped(gate, row, await gate.session.get_one(Currency, row.currency_id))


COLUMNS = (
    "threshold_units",
    "keep_units",
    "entry_id",
    "approval",
    "period_minutes",
    "enabled",
)


async def _columns(gate: Gate, currency: Currency, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Read the fields of a body as columns; `Invalid` points at the one that cannot be."""
    columns = dict(wanted)
    if "threshold" in columns:
        text = columns.pop("threshold")
        columns["threshold_units"] = units("/threshold", text, currency.decimals)
    if "keep" in columns:
        columns["keep_units"] = _kept(columns.pop("keep"), currency.decimals)
    if "address_book_entry" in columns:
        entry = await _entry(gate, columns.pop("address_book_entry"), currency)
        columns["entry_id"] = entry.id
    return columns


def _kept(text: str, decimals: int) -> int:
    try:
        return to_units(text, decimals)
    except AmountError as fault:
        raise Invalid.field("/keep", "invalid_amount", str(fault)) from fault


async def _entry(gate: Gate, entry_id: str, currency: Currency) -> AddressBookEntry:
    pointer, actor = "/address_book_entry", gate.actor
    try:
        entry = await entry_of(gate.session, actor.tenant, entry_id, livemode=actor.livemode)
    except NotFound as fault:
        raise Invalid.field(pointer, "unknown_entry", fault.detail) from fault
    if entry.deleted_at is not None:
        raise Invalid.field(pointer, "entry_deleted", "this entry is deleted")
    if entry.network_id != currency.network_id:
        raise Invalid.field(
            pointer, "wrong_network", f"this entry is an address on {entry.network_id}"
        )
    return entry


def _require_sound(gate: Gate, columns: Mapping[str, Any]) -> None:
    if columns["keep_units"] >= columns["threshold_units"]:
        raise Invalid.field("/keep", "invalid_amount", "less than the threshold must stay")
    if columns["approval"] == "automatic" and APPROVING not in gate.actor.scopes:
        raise Forbidden(f"a rule that approves itself needs {APPROVING}")


async def _standing(gate: Gate, rule_id: str) -> PayoutRule:
    actor = gate.actor
    row = await rule_of(gate.session, actor.tenant, rule_id, livemode=actor.livemode, lock=True)
    if row.deleted_at is not None:
        raise Conflict("this rule has ended", code="rule_deleted")
    return row


async def _shaped(gate: Gate, row: PayoutRule, currency: Currency) -> PayoutRuleDocument:
    entry = await gate.session.get_one(AddressBookEntry, row.entry_id)
    return rule_document(row, currency, entry)


def _told(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns as the audit log keeps them: base units as text, JSON numbers are not exact."""
    return {
        name: str(value) if name.endswith("_units") else value
        for name, value in columns.items()
    }
