"""All changes of a merchant's balances as one file."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, get
from litestar.response import Stream
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.exports.streaming import OPENAPI, Export, Exports, Format
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.ledger.documents import Entry, EntryDocument, entry_document
from gateway.models import BalanceHistory, Currency, Journal, Network

COLUMNS = (
    *("id", "type", "payment_method", "currency", "network"),
    *("confirmed.change", "confirmed.change_atomic", "confirmed.before", "confirmed.after"),
    *("locked.change", "locked.change_atomic", "locked.before", "locked.after"),
    *("journal.kind", "journal.ref", "created_at"),
)


class EntryExportController(Controller):
    """How a merchant's balances came to what they are."""

    path = "/balance_entries/export"

    @get("/", guards=[requires("balances:read")], opt=OPENAPI)
    async def export(self, call: Call, exports: Exports, format_: Format = "csv") -> Stream:
        """Send every change of the merchant's own balances, newest first, as one file."""
        actor = call.actor
        query = (
            select(BalanceHistory, Journal, Currency)
            .join(Journal, Journal.id == BalanceHistory.journal_id)
            .join(Currency, Currency.id == BalanceHistory.currency_id)
            .join(Network, Network.id == Currency.network_id)
            .where(
                BalanceHistory.account == actor.tenant,
                BalanceHistory.merchant_id == actor.tenant,
                Network.test != actor.livemode,
            )
            .order_by(
                BalanceHistory.at.desc(),
                BalanceHistory.wallet_id.desc(),
                BalanceHistory.version.desc(),
            )
        )

        async def found(_: AsyncSession) -> Select[BalanceHistory, Journal, Currency]:
            return query

        async def shape(_: AsyncSession, rows: Sequence[Any]) -> Sequence[EntryDocument]:
            return [entry_document(Entry(*row)) for row in rows]

        export = Export(name="balance_entries", columns=COLUMNS, select=found, shape=shape)
        return await exports.begin(call, export, format_)
