"""The query parameters that narrow a list of invoices, and what a document is expanded by."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from litestar.di import Provide
from litestar.params import Parameter

from gateway.domain.errors import Invalid
from gateway.domain.money import AmountError, parse_decimal
from gateway.http.parts import in_utc
from gateway.invoices.search import InvoiceFilter

Status = Literal["pending", "processing", "settled", "expired", "invalid", "canceled"]
Exception_ = Literal["none", "paid_partial", "paid_over", "paid_late", "marked", "reorged"]
Text = Annotated[str | None, Parameter(max_length=200)]
Expandable = Literal["deposits"]
Expand = Annotated[list[Expandable] | None, Parameter(query="expand[]", max_items=1)]


async def provide_marks(
    *,
    status: Status | None = None,
    exception: Exception_ | None = None,
    order_id: Text = None,
    customer_id: Annotated[str | None, Parameter(max_length=64)] = None,
    currency: Annotated[str | None, Parameter(max_length=12)] = None,
    payment_method: Annotated[str | None, Parameter(max_length=64)] = None,
) -> dict[str, Any]:
    """Read what an invoice says of itself."""
    return {
        "status": status,
        "exception": exception,
        "order_id": order_id,
        "customer_id": customer_id,
        "currency": currency,
        "payment_method": payment_method,
    }


async def provide_ranges(
    *,
    created_from: Annotated[datetime | None, Parameter(query="created[gte]")] = None,
    created_before: Annotated[datetime | None, Parameter(query="created[lt]")] = None,
    paid_from: Annotated[datetime | None, Parameter(query="paid[gte]")] = None,
    paid_before: Annotated[datetime | None, Parameter(query="paid[lt]")] = None,
    amount_from: Annotated[str | None, Parameter(query="amount[gte]", max_length=80)] = None,
    amount_to: Annotated[str | None, Parameter(query="amount[lte]", max_length=80)] = None,
) -> dict[str, Any]:
    """Read ranges; a time without an offset is UTC."""
    return {
        "created_from": in_utc(created_from),
        "created_before": in_utc(created_before),
        "paid_from": in_utc(paid_from),
        "paid_before": in_utc(paid_before),
        "amount_from": _amount("amount[gte]", amount_from),
        "amount_to": _amount("amount[lte]", amount_to),
    }


async def provide_filter(
    marks: dict[str, Any],
    ranges: dict[str, Any],
    tx_hash: Annotated[str | None, Parameter(max_length=128)] = None,
    address: Annotated[str | None, Parameter(max_length=128)] = None,
    q: Text = None,
) -> InvoiceFilter:
    """Put together what a list is narrowed to."""
    return InvoiceFilter(tx_hash=tx_hash, address=address, words=q, **marks, **ranges)


FILTER: dict[str, Provide | Callable[..., Any]] = {
    "wanted": provide_filter,
    "marks": provide_marks,
    "ranges": provide_ranges,
}
"""The dependencies of a route that lists invoices."""


def _amount(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return parse_decimal(text)
    except AmountError as fault:
        raise Invalid.field(f"/{name}", "invalid_amount", str(fault)) from fault
