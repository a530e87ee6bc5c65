"""All deposits of a merchant as one file."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, get
from litestar.response import Stream
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import scanned_heights
from gateway.deposits.controller import provide_filter
from gateway.deposits.documents import DepositDocument, deposit_document
from gateway.deposits.repository import currencies_of
from gateway.deposits.search import deposits_found
from gateway.exports.streaming import OPENAPI, Export, Exports, Format
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.models import Deposit

COLUMNS = tuple(name for name in DepositDocument.__struct_fields__ if name != "object")


class DepositExportController(Controller):
    """Transfers that arrived at the merchant's addresses."""

    path = "/deposits/export"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires("deposits:read")], opt=OPENAPI)
    async def export(
        self, call: Call, exports: Exports, wanted: dict[str, Any], format_: Format = "csv"
    ) -> Stream:
        """Send every deposit that the filters let pass, newest first, as one file."""
        actor = call.actor

        async def select(_: AsyncSession) -> Select[Deposit]:
            found = deposits_found(actor.tenant, wanted, livemode=actor.livemode)
            return found.order_by(Deposit.id.desc())

        async def shape(
            session: AsyncSession, rows: Sequence[Deposit]
        ) -> Sequence[DepositDocument]:
            currencies = await currencies_of(session, rows)
            heads = await scanned_heights(session)
            return [deposit_document(row, currencies[row.currency_id], heads) for row in rows]

        export = Export(name="deposits", columns=COLUMNS, select=select, shape=shape)
        return await exports.begin(call, export, format_)
