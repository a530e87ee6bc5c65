"""What the world sees of a merchant."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from gateway.domain.money import plain
from gateway.models import Merchant


class VerificationDocument(msgspec.Struct, kw_only=True):
    """What an operator found out; `by` is for operators' eyes only."""

    status: str
    note: str | None
    by: str | None
    at: datetime | None


class SuspensionDocument(msgspec.Struct, kw_only=True):
    """Why nothing can be changed at the moment; `by` is for operators' eyes only."""

    reason: str | None
    by: str | None
    at: datetime | None


class MerchantDocument(msgspec.Struct, kw_only=True):
    """A merchant; `name` is what payers see. The settings apply to invoices made from now on."""

    id: str
    object: str
    name: str
    legal_name: str | None
    email: str | None
    address: dict[str, Any] | None
    country: str | None
    tax_id: str | None
    website: str | None
    phone: str | None
    support_email: str | None
    support_url: str | None
    status: str
    suspension: SuspensionDocument | None
    verification: VerificationDocument
    invoice_expiry_minutes: int
    monitoring_days: int
    payment_tolerance_percent: str
    created_at: datetime
    deleted_at: datetime | None


def merchant_document(row: Merchant, *, for_operator: bool) -> MerchantDocument:
    """Shape one merchant from its row."""
    suspension = SuspensionDocument(
        reason=row.suspension_reason,
        by=row.suspended_by if for_operator else None,
        at=row.suspended_at,
    )
    return MerchantDocument(
        id=row.id,
        object="merchant",
        name=row.name,
        legal_name=row.legal_name,
        email=row.email,
        address=row.address,
        country=row.country,
        tax_id=row.tax_id,
        website=row.website,
        phone=row.phone,
        support_email=row.support_email,
        support_url=row.support_url,
        status=row.status,
        suspension=suspension if row.status == "suspended" else None,
        verification=VerificationDocument(
            status=row.verification,
            note=row.verification_note,
            by=row.verification_by if for_operator else None,
            at=row.verification_at,
        ),
        invoice_expiry_minutes=row.invoice_expiry_minutes,
        monitoring_days=row.monitoring_days,
        payment_tolerance_percent=plain(Decimal(row.tolerance_basis_points) / 100),
        created_at=row.created_at,
        deleted_at=row.deleted_at,
    )
