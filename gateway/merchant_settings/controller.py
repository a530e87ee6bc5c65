"""Settings over HTTP: a merchant's own, and any merchant's for operators."""

from decimal import Decimal
from typing import Any

import msgspec
from litestar import Controller, get, patch
from msgspec import UNSET

from gateway.db import acting_for
from gateway.domain.fields import amount
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.parts import given
from gateway.merchant_settings.documents import SettingsDocument, settings_document
from gateway.merchant_settings.repository import settings_of
from gateway.merchant_settings.schemas import ChangeSettings, Tax, Tier
from gateway.merchant_settings.service import Columns, change_settings
from gateway.merchants.service import basis_points

_ON_MERCHANT = {
    "expiry_minutes": "invoice_expiry_minutes",
    "monitoring_days": "monitoring_days",
}


class SettingsController(Controller):
    """For the merchant itself."""

    path = "/settings"

    @get("/", guards=[requires("settings:read")])
    async def show(self, call: Call) -> SettingsDocument:
        """Show the calling merchant's settings."""
        async with call.transaction() as session:
            return settings_document(*await settings_of(session, call.actor.tenant))

    @patch("/", guards=[requires("settings:write", step_up=True, shared=True)])
    async def change(self, call: Call, data: ChangeSettings) -> SettingsDocument:
        """Change the calling merchant's settings."""
        actor, wanted = call.actor, _columns(data)
        async with call.transaction() as session:
            return await change_settings(session, actor, actor.tenant, wanted, call.moment)


class MerchantSettingsController(Controller):
    """For operators: to help a merchant who has locked itself out."""

    path = "/merchants/{merchant_id:str}/settings"

    @get("/", guards=[requires("merchants:write")])
    async def show(self, call: Call, merchant_id: str) -> SettingsDocument:
        """Show a merchant's settings."""
        async with call.transaction() as session, acting_for(session, merchant_id):
            return settings_document(*await settings_of(session, merchant_id))

    @patch("/", guards=[requires("merchants:write", step_up=True, shared=True)])
    async def change(
        self, call: Call, merchant_id: str, data: ChangeSettings
    ) -> SettingsDocument:
        """Change a merchant's settings."""
        wanted = _columns(data)
        async with call.transaction() as session, acting_for(session, merchant_id):
            return await change_settings(session, call.actor, merchant_id, wanted, call.moment)


def _columns(data: ChangeSettings) -> tuple[Columns, Columns]:
    """Return the columns that the body sets: the merchant's, and those of its wishes."""
    merchant: dict[str, Any] = {}
    wishes = {**_fields(data.branding), **_fields(data.security)}
    for name, value in _fields(data.invoices).items():
        if name == "payment_tolerance_percent":
            merchant["tolerance_basis_points"] = basis_points(value)
        elif name in _ON_MERCHANT:
            merchant[_ON_MERCHANT[name]] = value
        elif name == "confirmation_policy":
            wishes[name] = None if value is None else _tiers(value)
        else:
            wishes[name] = value
    if data.notifications is not UNSET:
        wishes["notifications"] = data.notifications
    if data.metadata is not UNSET:
        wishes["metadata_"] = data.metadata
    if data.tax is not UNSET:
        wishes |= _tax(data.tax)
    return merchant, wishes


def _fields(section: Any) -> dict[str, Any]:
    """Return what a section of the body sets."""
    return {} if section is UNSET else given(section)


def _tiers(tiers: list[Tier]) -> list[Any]:
    """Return tiers as they are kept; each limit is a decimal above zero."""
    for index, tier in enumerate(tiers):
        amount(f"/invoices/confirmation_policy/{index}/below", tier.below, 18)
    return [dict(msgspec.to_builtins(tier)) for tier in tiers]


def _tax(tax: Tax | None) -> dict[str, Any]:
    if tax is None:
        return {"tax_rate": None, "tax_label": None, "tax_inclusive": True}
    return {
        "tax_rate": Decimal(tax.rate_percent),
        "tax_label": tax.label,
        "tax_inclusive": tax.inclusive,
    }
