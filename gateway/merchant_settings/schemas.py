"""The request body about settings: sections, each of which is changed by itself."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.parts import Amount, Metadata, MethodId
from gateway.merchants.schemas import ExpiryMinutes, MonitoringDays, Percent

Channel = Literal["email", "sms", "chat", "webhook"]
Kind = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,12}$(?!\n)")]
Link = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]+$(?!\n)", max_length=2048)]
LogoUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https://[a-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/%-]*$(?!\n)", max_length=2048
    ),
]
"""No query and nothing else that would mean something in a content policy."""
Color = Annotated[str, msgspec.Meta(pattern=r"^#[0-9a-f]{6}$(?!\n)")]
DisplayName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
TaxRate = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,2}(\.[0-9]{1,4})?$(?!\n)")]
"""A percentage below 100 with at most four decimals."""
TaxLabel = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Networks = Annotated[list[str], msgspec.Meta(max_length=64)]


class Tier(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Invoices of less than `below` in `currency` settle with so many confirmations."""

    below: Amount
    currency: Code
    confirmations: Annotated[int, msgspec.Meta(ge=0, le=1000)]


class InvoiceDefaults(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What an invoice gets where its request says nothing; null is the house's own way."""

    expiry_minutes: ExpiryMinutes | UnsetType = UNSET
    monitoring_days: MonitoringDays | UnsetType = UNSET
    payment_tolerance_percent: Percent | UnsetType = UNSET
    confirmation_policy: (
        Annotated[list[Tier], msgspec.Meta(min_length=1, max_length=20)] | UnsetType | None
    ) = UNSET
    payment_methods: (
        Annotated[list[MethodId], msgspec.Meta(min_length=1, max_length=50)] | UnsetType | None
    ) = UNSET
    success_url: Link | UnsetType | None = UNSET
    cancel_url: Link | UnsetType | None = UNSET


class Branding(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the page of an invoice looks."""

    display_name: DisplayName | UnsetType | None = UNSET
    primary_color: Color | UnsetType | None = UNSET
    logo_url: LogoUrl | UnsetType | None = UNSET
    tron_qr: Literal["address", "uri", "uri_amount"] | UnsetType = UNSET


class Security(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """From where, and whether only with a signature."""

    allowed_ips: Networks | UnsetType = UNSET
    require_signature: bool | UnsetType = UNSET


class Tax(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The tax on what is sold; `inclusive` where an invoice's amount contains it already."""

    rate_percent: TaxRate
    label: TaxLabel
    inclusive: bool = True


class ChangeSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; what is left out stays.

    `notifications`, `tax` and `metadata` are replaced as a whole.
    """

    notifications: (
        Annotated[
            dict[Kind, Annotated[list[Channel], msgspec.Meta(max_length=4)]],
            msgspec.Meta(max_length=32),
        ]
        | UnsetType
    ) = UNSET
    invoices: InvoiceDefaults | UnsetType = UNSET
    branding: Branding | UnsetType = UNSET
    security: Security | UnsetType = UNSET
    tax: Tax | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
