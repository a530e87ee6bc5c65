"""All withdrawals of a merchant as one file."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, get
from litestar.response import Stream
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.exports.streaming import OPENAPI, Export, Exports, Format
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.models import Withdrawal
from gateway.withdrawals.controller import provide_filter
from gateway.withdrawals.documents import WithdrawalDocument, withdrawal_document
from gateway.withdrawals.repository import currencies_of, withdrawals_found

COLUMNS = tuple(
    name
    for name in WithdrawalDocument.__struct_fields__
    if name not in {"object", "merchant_id", "approvals"}
)


class WithdrawalExportController(Controller):
    """Payouts from the merchant's balance."""

    path = "/withdrawals/export"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires("withdrawals:read")], opt=OPENAPI)
    async def export(
        self, call: Call, exports: Exports, wanted: dict[str, Any], format_: Format = "csv"
    ) -> Stream:
        """Send every withdrawal that the filters let pass, newest first, as one file."""
        actor = call.actor

        async def found(_: AsyncSession) -> Select[Withdrawal]:
            query = withdrawals_found(actor.tenant, wanted, livemode=actor.livemode)
            return query.order_by(Withdrawal.id.desc())

        async def shape(
            session: AsyncSession, rows: Sequence[Withdrawal]
        ) -> Sequence[WithdrawalDocument]:
            currencies = await currencies_of(session, rows)
            return [withdrawal_document(row, *currencies[row.currency_id]) for row in rows]

        export = Export(name="withdrawals", columns=COLUMNS, select=found, shape=shape)
        return await exports.begin(call, export, format_)
