"""Request bodies about merchants. The limits are those of the database's checks."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.parts import Email

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ExpiryMinutes = Annotated[int, msgspec.Meta(ge=1, le=10_080)]
MonitoringDays = Annotated[int, msgspec.Meta(ge=1, le=365)]
Percent = Annotated[str, msgspec.Meta(pattern=r"^(10|[0-9])(\.[0-9]{1,2})?$(?!\n)")]
"""0 to 10 with at most two decimals; the service checks the upper end.

`(?!\\n)`, because in Python `$` would also match before a last line break.
"""
Country = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$(?!\n)")]
"""Two letters of ISO 3166-1."""
TaxId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
WebLink = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]+$(?!\n)", max_length=2048)]
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+[0-9][0-9 ]{4,30}$(?!\n)")]
Line = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", max_length=200)]
Note = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
ReferralCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]{4,32}$(?!\n)")]


class Address(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Where a business has its seat; the country stands beside it."""

    line1: Line
    city: Line
    line2: Line | None = None
    region: Line | None = None
    postal_code: Line | None = None


class CreateMerchant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new merchant; settings that are left out take the house's defaults.

    `referral_code` says who referred it, at birth or never.
    """

    name: Name
    email: Email | None = None
    legal_name: Name | None = None
    address: Address | None = None
    country: Country | None = None
    tax_id: TaxId | None = None
    website: WebLink | None = None
    phone: Phone | None = None
    support_email: Email | None = None
    support_url: WebLink | None = None
    invoice_expiry_minutes: ExpiryMinutes = 60
    monitoring_days: MonitoringDays = 7
    payment_tolerance_percent: Percent = "0.5"
    referral_code: ReferralCode | None = None


class ChangeMerchant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; fields that are left out stay.

    Once a merchant is verified only an operator changes what was verified: `legal_name`,
    `address`, `country` and `tax_id`.
    """

    name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    legal_name: Name | UnsetType | None = UNSET
    address: Address | UnsetType | None = UNSET
    country: Country | UnsetType | None = UNSET
    tax_id: TaxId | UnsetType | None = UNSET
    website: WebLink | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    support_email: Email | UnsetType | None = UNSET
    support_url: WebLink | UnsetType | None = UNSET
    invoice_expiry_minutes: ExpiryMinutes | UnsetType = UNSET
    monitoring_days: MonitoringDays | UnsetType = UNSET
    payment_tolerance_percent: Percent | UnsetType = UNSET


class Verify(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What an operator found out about a merchant; the merchant reads the note."""

    verification: Literal["unverified", "pending", "verified", "rejected"]
    note: Note | None = None


class Suspend(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why; the merchant reads it."""

    reason: Note
