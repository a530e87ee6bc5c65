"""Reading and changing settings. Each has one home: the merchant's row, or the row of its wishes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.limits import check_networks
from gateway.audit.service import record
from gateway.domain.actor import Actor, may_come_from
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.moment import Moment
from gateway.domain.money import plain
from gateway.merchant_settings.documents import SettingsDocument, settings_document
from gateway.merchant_settings.repository import known_methods, locked_settings
from gateway.merchants.repository import merchant_of
from gateway.models import Merchant, MerchantSettings
from gateway.notifications.kinds import ALERT, KINDS, channels
from gateway.notifications.moved import alerts_moved

Columns = Mapping[str, Any]
SECURITY = frozenset({"allowed_ips", "require_signature"})
"""Whoever opens one of these is told of."""
METADATA_BYTES_MAX = 65_536


async def change_settings(
    session: AsyncSession,
    actor: Actor,
    merchant_id: str,
    wanted: tuple[Columns, Columns],
    moment: Moment,
) -> SettingsDocument:
    """Set columns of the merchant and of its wishes, inside its tenant.

    What does not differ is neither written nor recorded.
    """
    on_merchant, on_wishes = wanted
    merchant = await merchant_of(session, merchant_id, lock=True)
    row = await locked_settings(session, merchant_id, moment)
    await _check(session, actor, row, on_wishes)
    changed = _set(merchant, on_merchant) | _set(row, on_wishes)
    if changed:
        row.updated_at = moment.at
        await session.flush()
        await record(
            session,
            actor,
            moment,
            action=f"settings.{'security_' if SECURITY & changed.keys() else ''}changed",
            subject=merchant_id,
            merchant_id=merchant_id,
            before=_said({name: both[0] for name, both in changed.items()}),
            after=_said({name: both[1] for name, both in changed.items()}),
        )
        before, after = changed.get("notifications", ({}, {}))
        if channels(before, ALERT) != channels(after, ALERT):
            await alerts_moved(session, merchant_id, merchant.email, moment)
    return settings_document(merchant, row)


def _set(target: Merchant | MerchantSettings, columns: Columns) -> dict[str, tuple[Any, Any]]:
    """Set what differs; return it with what was there before."""
    changed = {
        name: (getattr(target, name), value)
        for name, value in columns.items()
        if getattr(target, name) != value
    }
    for name, (_, value) in changed.items():
        setattr(target, name, value)
    return changed


async def _check(
    session: AsyncSession, actor: Actor, row: MerchantSettings, wanted: Columns
) -> None:
    for kind in wanted.get("notifications", ()):
        if kind not in KINDS:
            pointer = "/notifications/" + kind.replace("~", "~0").replace("/", "~1")
            raise Invalid.field(pointer, "unknown_kind", f"{kind}: one of {sorted(KINDS)}")
    _check_metadata(wanted.get("metadata_", {}))
    await _check_methods(session, wanted.get("payment_methods"))
    if "allowed_ips" in wanted:
        _check_way_in(actor, wanted["allowed_ips"])
    if wanted.get("require_signature") and not row.require_signature:
        _check_signer(actor)


def _check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse what the database would: it counts its own spelling, with two spaces for each entry."""
    if len(msgspec.json.encode(metadata)) + 2 * len(metadata) > METADATA_BYTES_MAX:
        raise Invalid.field(
            "/metadata", "too_large", f"metadata has at most {METADATA_BYTES_MAX} bytes"
        )


async def _check_methods(session: AsyncSession, names: Sequence[str] | None) -> None:
    known = await known_methods(session, names) if names else set()
    for index, name in enumerate(names or ()):
        if name not in known:
            raise Invalid.field(
                f"/invoices/payment_methods/{index}",
                "unknown_payment_method",
                f"{name}: no payment method of this gateway",
            )


def _check_way_in(actor: Actor, networks: Sequence[str]) -> None:
    """Refuse a list that would keep out whoever sends it: only an operator could open it again."""
    check_networks(networks, pointer="/security/allowed_ips")
    if actor.merchant_id is not None and not may_come_from(actor.address, networks):
        raise Invalid.field(
            "/security/allowed_ips",
            "would_lock_you_out",
            f"{actor.address} is not in any of them",
        )


def _check_signer(actor: Actor) -> None:
    """Whoever demands signatures with a key has to be able to make them."""
    if actor.merchant_id is not None and actor.session_id is None and not actor.signed:
        raise Conflict(
            "send this request signed: it proves that the key can", code="signature_unproved"
        )


def _said(columns: Columns) -> dict[str, Any]:
    """Return columns as JSON types, under the names of the outside."""
    return {
        name.rstrip("_"): plain(value) if isinstance(value, Decimal) else value
        for name, value in columns.items()
    }
