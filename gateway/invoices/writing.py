"""Writing a new invoice: invoice, options and first step in one statement.

Creating invoices is what the API does most, and each round trip costs as much as the work.
"""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send
from gateway.models import Invoice, InvoiceTimeline, PaymentOption

_INVOICE = [column.name for column in Invoice.__table__.columns]
_OPTION = {
    "currency_id": "text",
    "network_id": "text",
    "amount_units": "numeric",
    "rate": "numeric",
    "rate_source": "text",
    "rate_at": "timestamptz",
    "address": "text",
    "address_index": "integer",
    "address_path": "text",
    "address_signature": "bytea",
    "activated_at": "timestamptz",
}
_WRITE = f"""
WITH made AS (
    INSERT INTO invoice ({", ".join(_INVOICE)}) VALUES ({", ".join(f"%({name})s" for name in _INVOICE)})
), offered AS (
    INSERT INTO payment_option (invoice_id, merchant_id, {", ".join(_OPTION)})
    SELECT %(id)s, %(merchant_id)s, o.*
    FROM unnest({", ".join(f"CAST(%(o_{name})s AS {kind}[])" for name, kind in _OPTION.items())}) o
)
INSERT INTO invoice_timeline (invoice_id, merchant_id, status, exception, reason, at)
VALUES (%(id)s, %(merchant_id)s, %(status)s, %(exception)s, %(reason)s, %(created_at)s)
"""  # noqa: S608 names of columns only


async def write(
    session: AsyncSession,
    invoice: Invoice,
    options: Sequence[PaymentOption],
    step: InvoiceTimeline,
) -> None:
    """Write rows that no session knows; `step` is the invoice's first."""
    values: dict[str, Any] = {
        column.name: getattr(invoice, attribute.key)
        for attribute in Invoice.__mapper__.column_attrs
        for column in attribute.columns
    }
    values["metadata"] = Jsonb(invoice.metadata_)
    values["reason"] = step.reason
    for name in _OPTION:
        values[f"o_{name}"] = [getattr(option, name) for option in options]
    await send(session, _WRITE, values)
