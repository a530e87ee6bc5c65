"""All changes of a merchant's balances as one file."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, get
from litestar.response import Stream
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.exports.streaming import OPENAPI, Export, Exports, Format
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.ledger.documents import Entry, EntryDocument, entry_document
from gateway.ledger.repository import ENTRY_ORDER, Holder, entries_found
from gateway.ledger.schemas import provide_filter
from gateway.models import BalanceHistory, Currency, Journal

COLUMNS = (
    *("id", "type", "payment_method", "currency", "network"),
    *("confirmed.change", "confirmed.change_atomic", "confirmed.before", "confirmed.after"),
    *("locked.change", "locked.change_atomic", "locked.before", "locked.after"),
    *("journal.kind", "journal.ref", "created_at"),
)


class EntryExportController(Controller):
    """How a merchant's balances came to what they are."""

    path = "/balance_entries/export"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires("balances:read")], opt=OPENAPI)
    async def export(
        self, call: Call, exports: Exports, wanted: dict[str, Any], format_: Format = "csv"
    ) -> Stream:
        """Send the changes of the merchant's own balances, newest first, as one file."""
        actor = call.actor
        query = entries_found(Holder(actor.tenant), wanted, livemode=actor.livemode)
        newest_first = query.order_by(*(column.desc() for column in ENTRY_ORDER))

        async def found(_: AsyncSession) -> Select[BalanceHistory, Journal, Currency]:
            return newest_first

        async def shape(_: AsyncSession, rows: Sequence[Any]) -> Sequence[EntryDocument]:
            return [entry_document(Entry(*row)) for row in rows]

        export = Export(name="balance_entries", columns=COLUMNS, select=found, shape=shape)
        return await exports.begin(call, export, format_)
