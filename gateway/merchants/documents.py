"""What the world sees of a merchant."""

from datetime import datetime
from decimal import Decimal

import msgspec

from gateway.domain.money import plain
from gateway.models import Merchant


class MerchantDocument(msgspec.Struct, kw_only=True):
    """A merchant; the settings apply to invoices that are created from now on."""

    id: str
    object: str
    name: str
    email: str | None
    status: str
    invoice_expiry_minutes: int
    monitoring_days: int
    payment_tolerance_percent: str
    created_at: datetime


def merchant_document(row: Merchant) -> MerchantDocument:
    """Shape one merchant from its row."""
    return MerchantDocument(
        id=row.id,
        object="merchant",
        name=row.name,
        email=row.email,
        status=row.status,
        invoice_expiry_minutes=row.invoice_expiry_minutes,
        monitoring_days=row.monitoring_days,
        payment_tolerance_percent=plain(Decimal(row.tolerance_basis_points) / 100),
        created_at=row.created_at,
    )
