"""Invoices over HTTP, for the merchant's keys."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from litestar import Controller, Response, get, patch, post
from litestar.params import Parameter
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.service import alarm
from gateway.domain.errors import Invalid
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.invoices.activation import genuine
from gateway.invoices.documents import InvoiceDocument
from gateway.invoices.repository import (
    InvoiceFilter,
    documents_of,
    invoice_of,
    invoice_page,
)
from gateway.invoices.schemas import ChangeInvoice, CreateInvoice
from gateway.invoices.service import (
    Desk,
    Order,
    cancel_invoice,
    change_invoice,
    choose_method,
    create_invoice,
    shown,
)
from gateway.merchants.service import basis_points
from gateway.paging import PageRequest
from gateway.settings import Settings

Status = Literal["pending", "processing", "settled", "expired", "invalid", "canceled"]
Exception_ = Literal["none", "paid_partial", "paid_over", "paid_late", "marked", "reorged"]
_COLUMNS = {"order_id": "order_id", "description": "description", "metadata": "metadata_"}


async def provide_filter(
    status: Status | None = None,
    exception: Exception_ | None = None,
    order_id: Annotated[str | None, Parameter(max_length=200)] = None,
    created_from: Annotated[datetime | None, Parameter(query="created[gte]")] = None,
    created_before: Annotated[datetime | None, Parameter(query="created[lt]")] = None,
) -> InvoiceFilter:
    """Read the filters of a list; a time without an offset is UTC."""
    return InvoiceFilter(
        status, exception, order_id, _aware(created_from), _aware(created_before)
    )


class InvoiceController(Controller):
    """Requests for payment."""

    path = "/invoices"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @post("/", guards=[requires("invoices:write")])
    async def create(
        self, call: Call, settings: Settings, data: CreateInvoice
    ) -> Response[InvoiceDocument]:
        """Create an invoice; each rate is locked until it expires."""
        order = _order(data)

        async def work(session: AsyncSession) -> InvoiceDocument:
            return await create_invoice(_desk(call, session, settings), order)

        async with _watched(call):
            return await call.once(work)

    @get("/", guards=[requires("invoices:read")])
    async def index(
        self, call: Call, settings: Settings, page: PageRequest, wanted: InvoiceFilter
    ) -> Page[InvoiceDocument]:
        """List invoices, newest first."""
        actor = call.actor
        async with _watched(call), call.transaction() as session:
            found = await invoice_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
            documents = await documents_of(
                session,
                found.rows,
                public_url=settings.api.public_url,
                check=genuine(settings),
            )
        by_id = {document.id: document for document in documents}
        return page_of(found, page, lambda row: by_id[row.id], lambda row: row.id)

    @get("/{invoice_id:str}", guards=[requires("invoices:read")])
    async def show(self, call: Call, settings: Settings, invoice_id: str) -> InvoiceDocument:
        """Show one invoice."""
        actor = call.actor
        async with _watched(call), call.transaction() as session:
            invoice = await invoice_of(
                session, actor.tenant, invoice_id, livemode=actor.livemode
            )
            return await shown(session, settings, invoice)

    @patch("/{invoice_id:str}", guards=[requires("invoices:write")])
    async def change(
        self, call: Call, settings: Settings, invoice_id: str, data: ChangeInvoice
    ) -> InvoiceDocument:
        """Change what the merchant says about it; money and addresses stay."""
        changes = _changes(data)
        async with _watched(call), call.transaction() as session:
            return await change_invoice(_desk(call, session, settings), invoice_id, changes)

    @post("/{invoice_id:str}/cancel", guards=[requires("invoices:write")], status_code=200)
    async def cancel(
        self, call: Call, settings: Settings, invoice_id: str
    ) -> Response[InvoiceDocument]:
        """Call a pending invoice off."""

        async def work(session: AsyncSession) -> InvoiceDocument:
            return await cancel_invoice(_desk(call, session, settings), invoice_id)

        async with _watched(call):
            return await call.once(work, status=200)

    @post(
        "/{invoice_id:str}/payment_options/{payment_method:str}",
        guards=[requires("invoices:write")],
        status_code=200,
    )
    async def choose(
        self, call: Call, settings: Settings, invoice_id: str, payment_method: str
    ) -> Response[InvoiceDocument]:
        """Assign the address of one payment method; repeating it changes nothing."""

        async def work(session: AsyncSession) -> InvoiceDocument:
            desk = _desk(call, session, settings)
            return await choose_method(desk, invoice_id, payment_method)

        async with _watched(call):
            return await call.once(work, status=200)


def _watched(call: Call) -> AbstractAsyncContextManager[None]:
    return alarm(call.database, call.actor, call.moment)


def _desk(call: Call, session: AsyncSession, settings: Settings) -> Desk:
    return Desk(session, call.actor, settings, call.moment)


def _expiry(data: CreateInvoice) -> timedelta | None:
    """Return the expiry asked for; None takes the merchant's default."""
    minutes, seconds = data.expires_in_minutes, data.expires_in_seconds
    if minutes is not None and seconds is not None:
        raise Invalid.field(
            "/expires_in_seconds", "ambiguous", "give minutes or seconds, not both"
        )
    if minutes is not None:
        return timedelta(minutes=minutes)
    return None if seconds is None else timedelta(seconds=seconds)


def _order(data: CreateInvoice) -> Order:
    percent = data.payment_tolerance_percent
    return Order(
        amount=data.amount,
        currency=data.currency,
        payment_methods=data.payment_methods,
        activate=data.activate,
        order_id=data.order_id,
        description=data.description,
        metadata=data.metadata,
        expires_in=_expiry(data),
        tolerance_basis_points=None if percent is None else basis_points(percent),
        confirmations=data.confirmations,
        success_url=data.success_url,
        cancel_url=data.cancel_url,
    )


def _changes(data: ChangeInvoice) -> dict[str, Any]:
    """Return the columns that the body sets."""
    return {
        column: getattr(data, name)
        for name, column in _COLUMNS.items()
        if getattr(data, name) is not UNSET
    }


def _aware(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
