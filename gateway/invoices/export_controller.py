"""The whole list of invoices, as a file."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, get
from litestar.response import Stream
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.service import alarm
from gateway.exports.streaming import OPENAPI, Export, Exports, Format
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.invoices.activation import genuine
from gateway.invoices.documents import InvoiceDocument
from gateway.invoices.filters import FILTER
from gateway.invoices.repository import documents_of
from gateway.invoices.search import INVOICE, InvoiceFilter, found_by
from gateway.settings import Settings

COLUMNS = (
    *(
        "id",
        "order_id",
        "customer_id",
        "description",
        "livemode",
        "status",
        "exception",
        "final",
    ),
    *("amount", "currency", "amount_paid", "amount_due", "amount_overpaid"),
    *("tax.label", "tax.rate_percent", "tax.amount", "confirmations", "confirmation_policy"),
    *("created_at", "expires_at", "paid_at", "settled_at", "metadata", "deposits", "refunds"),
)
"""The columns of an exported list."""


class InvoiceExportController(Controller):
    """Invoices, all at once."""

    path = "/invoices/export"
    dependencies = FILTER

    @get("/", guards=[requires("invoices:read")], opt=OPENAPI)
    async def export(
        self,
        call: Call,
        settings: Settings,
        exports: Exports,
        wanted: InvoiceFilter,
        format_: Format = "csv",
    ) -> Stream:
        """Send every invoice that the filters let pass, newest first, as one file."""
        actor = call.actor

        async def select(session: AsyncSession) -> TextClause:
            found = await found_by(session, actor.tenant, wanted, livemode=actor.livemode)
            return found.every()

        async def shape(
            session: AsyncSession, rows: Sequence[Sequence[Any]]
        ) -> Sequence[InvoiceDocument]:
            async with alarm(call.database, actor, call.moment):
                return await documents_of(
                    session,
                    [INVOICE.row(each) for each in rows],
                    public_url=settings.api.public_url,
                    check=genuine(settings),
                    expanded=True,
                )

        export = Export(name="invoices", columns=COLUMNS, select=select, shape=shape)
        return await exports.begin(call, export, format_)
