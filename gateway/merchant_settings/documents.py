"""What the world sees of a merchant's settings."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from gateway.domain.money import plain
from gateway.models import Merchant, MerchantSettings
from gateway.notifications.kinds import KINDS, channels


class TierDocument(msgspec.Struct, kw_only=True):
    """Invoices of less than `below` in `currency` settle with so many confirmations."""

    below: str
    currency: str
    confirmations: int


class InvoiceDefaultsDocument(msgspec.Struct, kw_only=True):
    """What an invoice gets where its request says nothing; null is the house's own way."""

    expiry_minutes: int
    monitoring_days: int
    payment_tolerance_percent: str
    confirmation_policy: list[TierDocument] | None
    payment_methods: list[str] | None
    success_url: str | None
    cancel_url: str | None


class BrandingDocument(msgspec.Struct, kw_only=True):
    """How the page of an invoice looks."""

    display_name: str | None
    primary_color: str | None
    logo_url: str | None
    tron_qr: str


class SecurityDocument(msgspec.Struct, kw_only=True):
    """From where, and whether only with a signature."""

    allowed_ips: list[str]
    require_signature: bool


class TaxSettingDocument(msgspec.Struct, kw_only=True):
    """The tax on what is sold."""

    rate_percent: str
    label: str
    inclusive: bool


class SettingsDocument(msgspec.Struct, kw_only=True):
    """All settings; `notifications` names every kind, with the house's channels where none are set."""

    object: str
    merchant_id: str
    notifications: Mapping[str, Sequence[str]]
    invoices: InvoiceDefaultsDocument
    branding: BrandingDocument
    security: SecurityDocument
    tax: TaxSettingDocument | None
    metadata: dict[str, Any]
    updated_at: datetime | None


def settings_document(merchant: Merchant, row: MerchantSettings | None) -> SettingsDocument:
    """Shape the settings from the merchant's row and from its wishes, if it ever had any."""
    tiers = None if row is None else row.confirmation_policy
    return SettingsDocument(
        object="settings",
        merchant_id=merchant.id,
        notifications={
            kind: list(channels(None if row is None else row.notifications, kind))
            for kind in KINDS
        },
        invoices=InvoiceDefaultsDocument(
            expiry_minutes=merchant.invoice_expiry_minutes,
            monitoring_days=merchant.monitoring_days,
            payment_tolerance_percent=plain(Decimal(merchant.tolerance_basis_points) / 100),
            confirmation_policy=None if tiers is None else _tiers(tiers),
            payment_methods=None if row is None else row.payment_methods,
            success_url=None if row is None else row.success_url,
            cancel_url=None if row is None else row.cancel_url,
        ),
        branding=BrandingDocument(
            display_name=None if row is None else row.display_name,
            primary_color=None if row is None else row.primary_color,
            logo_url=None if row is None else row.logo_url,
            tron_qr="address" if row is None else row.tron_qr,
        ),
        security=SecurityDocument(
            allowed_ips=[] if row is None else row.allowed_ips,
            require_signature=row is not None and row.require_signature,
        ),
        tax=_tax(row),
        metadata={} if row is None else row.metadata_,
        updated_at=None if row is None else row.updated_at,
    )


def _tiers(tiers: Sequence[Any]) -> list[TierDocument]:
    return msgspec.convert(tiers, list[TierDocument])


def _tax(row: MerchantSettings | None) -> TaxSettingDocument | None:
    if row is None or row.tax_rate is None or row.tax_label is None:
        return None
    return TaxSettingDocument(
        rate_percent=plain(row.tax_rate), label=row.tax_label, inclusive=row.tax_inclusive
    )
