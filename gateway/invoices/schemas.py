"""Request bodies about invoices."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.parts import Amount, Metadata, MethodId
from gateway.merchants.schemas import ExpiryMinutes, Percent

Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,12}$(?!\n)")]
OrderId = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Description = Annotated[str, msgspec.Meta(max_length=500)]
Link = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]+$(?!\n)", max_length=2048)]
"""Where the payer is sent back to: http or https and printable ASCII, nothing else."""
ExpirySeconds = Annotated[int, msgspec.Meta(ge=5, le=604_800)]
Confirmations = Annotated[int, msgspec.Meta(ge=0, le=1000)]
"""0 settles as soon as a payment is in a block."""
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class CreateInvoice(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new invoice.

    `amount` is a decimal string in `currency`, a fiat or coin code; null takes whatever comes, at
    the price of its receipt. Without `payment_methods` those of the merchant's settings, else all
    that are available now are offered. `confirmations` settles this invoice before finality; the
    balance waits all the same. With `reuse_pending` a pending invoice of the same `order_id` that
    asks for the same is answered instead of a new one. An address is assigned at once where there is one
    method only, and for those in `activate`; otherwise when the payer chooses. The expiry is
    given in minutes or in seconds, else the merchant's default counts.
    """

    amount: Amount | None
    currency: Code
    payment_methods: (
        Annotated[list[MethodId], msgspec.Meta(min_length=1, max_length=50)] | None
    ) = None
    activate: Annotated[list[MethodId], msgspec.Meta(max_length=50)] = []
    order_id: OrderId | None = None
    description: Description | None = None
    metadata: Metadata = {}
    expires_in_minutes: ExpiryMinutes | None = None
    expires_in_seconds: ExpirySeconds | None = None
    payment_tolerance_percent: Percent | None = None
    confirmations: Confirmations | None = None
    success_url: Link | None = None
    cancel_url: Link | None = None
    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    reuse_pending: bool = False


class ChangeInvoice(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; fields that are left out stay, `metadata` is replaced as a whole."""

    order_id: OrderId | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class MarkInvoice(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a person says about the invoice, and why; both stand in its timeline."""

    status: Literal["settled", "invalid"]
    reason: Reason
