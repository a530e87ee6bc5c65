"""Writing a new invoice: invoice, options and first step in one statement.

Creating invoices is what the API does most, and each round trip costs as much as the work.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import as_json, send_later
from gateway.invoices.search import INVOICE
from gateway.models import Invoice, InvoiceTimeline, PaymentOption

_KEYS = [(column.name, key) for column, key in zip(INVOICE.columns, INVOICE.keys, strict=True)]
_INVOICE = [name for name, _ in _KEYS]
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
_OPTIONS = ", ".join(f"{name} {kind}" for name, kind in _OPTION.items())
_WRITE = f"""
WITH made AS (
    INSERT INTO invoice ({", ".join(_INVOICE)}) VALUES ({", ".join(f"%({name})s" for name in _INVOICE)})
), offered AS (
    INSERT INTO payment_option (invoice_id, merchant_id, {", ".join(_OPTION)})
    SELECT %(id)s, %(merchant_id)s, o.*
    FROM jsonb_to_recordset(%(options)s) AS o({_OPTIONS})
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
    values = {column: getattr(invoice, key) for column, key in _KEYS}
    values["metadata"] = as_json(invoice.metadata_)
    values["reason"] = step.reason
    values["options"] = as_json([_written(option) for option in options])
    await send_later(session, _WRITE, values)


def _written(option: PaymentOption) -> dict[str, Any]:
    """Return the columns as JSON that PostgreSQL reads back exactly."""
    units, signature = option.amount_units, option.address_signature
    return {name: getattr(option, name) for name in _OPTION} | {
        "amount_units": None if units is None else str(units),
        "address_signature": None if signature is None else rf"\x{signature.hex()}",
    }
