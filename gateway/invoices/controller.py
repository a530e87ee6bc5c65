"""Invoices over HTTP, for the merchant's keys."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from litestar import Controller, Response, get, patch, post
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.service import alarm
from gateway.domain.errors import Invalid
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.invoices.activation import genuine
from gateway.invoices.changes import (
    cancel_invoice,
    change_invoice,
    choose_method,
    mark_invoice,
    refresh_rates,
)
from gateway.invoices.documents import InvoiceDocument
from gateway.invoices.filters import FILTER, Expand
from gateway.invoices.repository import documents_of, invoice_of
from gateway.invoices.schemas import ChangeInvoice, CreateInvoice, MarkInvoice
from gateway.invoices.search import InvoiceFilter, invoice_page
from gateway.invoices.service import Desk, Order, ask_ahead, create_invoice, shown
from gateway.merchants.service import basis_points
from gateway.paging import PageRequest
from gateway.settings import Settings

_COLUMNS = {"order_id": "order_id", "description": "description", "metadata": "metadata_"}


class InvoiceController(Controller):
    """Requests for payment."""

    path = "/invoices"
    dependencies = FILTER

    @post("/", guards=[requires("invoices:write")])
    async def create(self, call: Call, data: CreateInvoice) -> Response[InvoiceDocument]:
        """Create an invoice; each rate is locked until it expires."""
        order, invoice_id = _order(data), call.moment.id("inv")

        async def ahead(session: AsyncSession) -> None:
            await ask_ahead(_desk(call, session, call.settings), order, invoice_id)

        async def work(session: AsyncSession) -> InvoiceDocument:
            desk = _desk(call, session, call.settings)
            return await create_invoice(desk, order, invoice_id)

        async with _watched(call):
            return await call.once(work, ahead=ahead)

    @get("/", guards=[requires("invoices:read")])
    async def index(
        self,
        call: Call,
        page: PageRequest,
        wanted: InvoiceFilter,
        expand: Expand = None,
    ) -> Page[InvoiceDocument]:
        """List invoices, newest first; `expand[]=deposits` puts their deposits in."""
        actor = call.actor
        async with _watched(call), call.transaction() as session:
            found = await invoice_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
            documents = await documents_of(
                session,
                found.rows,
                public_url=call.settings.api.public_url,
                check=genuine(call.settings),
                expanded=bool(expand),
            )
        by_id = {document.id: document for document in documents}
        return page_of(found, page, lambda row: by_id[row.id], lambda row: row.id)

    @get("/{invoice_id:str}", guards=[requires("invoices:read")])
    async def show(
        self, call: Call, settings: Settings, invoice_id: str, expand: Expand = None
    ) -> InvoiceDocument:
        """Show one invoice; `expand[]=deposits` puts its deposits in."""
        actor = call.actor
        async with _watched(call), call.transaction() as session:
            invoice = await invoice_of(
                session, actor.tenant, invoice_id, livemode=actor.livemode
            )
            return await shown(session, settings, invoice, expanded=bool(expand))

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

    @post("/{invoice_id:str}/mark", guards=[requires("invoices:write")], status_code=200)
    async def mark(
        self, call: Call, settings: Settings, invoice_id: str, data: MarkInvoice
    ) -> Response[InvoiceDocument]:
        """Say by a person's word that it is settled or invalid; no money moves by that."""

        async def work(session: AsyncSession) -> InvoiceDocument:
            desk = _desk(call, session, settings)
            return await mark_invoice(desk, invoice_id, data.status, data.reason)

        async with _watched(call):
            return await call.once(work, status=200)

    @post(
        "/{invoice_id:str}/refresh_rate", guards=[requires("invoices:write")], status_code=200
    )
    async def refresh_rate(
        self, call: Call, settings: Settings, invoice_id: str
    ) -> Response[InvoiceDocument]:
        """Lock the rates of what is not paid yet anew; `rate_history` keeps what held before."""

        async def work(session: AsyncSession) -> InvoiceDocument:
            return await refresh_rates(_desk(call, session, settings), invoice_id)

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
        customer_id=data.customer_id,
        reuse_pending=data.reuse_pending,
    )


def _changes(data: ChangeInvoice) -> dict[str, Any]:
    """Return the columns that the body sets."""
    return {
        column: getattr(data, name)
        for name, column in _COLUMNS.items()
        if getattr(data, name) is not UNSET
    }
