"""Deposits over HTTP: what has arrived, read only."""

from litestar import Controller, get

from gateway.deposits.documents import DepositDocument, deposit_document
from gateway.deposits.repository import deposit_of, deposit_page
from gateway.deposits.schemas import Id, Status, TxHash
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.paging import PageRequest


async def provide_filter(
    invoice_id: Id = None,
    status: Status | None = None,
    tx_hash: TxHash = None,
    payment_method: Id = None,
) -> dict[str, str]:
    """Read the filters of a list; a hash is compared as its chain writes it."""
    given = {
        "invoice_id": invoice_id,
        "status": status,
        "tx_hash": tx_hash,
        "payment_method": payment_method,
    }
    return {name: value for name, value in given.items() if value is not None}


class DepositController(Controller):
    """Transfers that arrived at the merchant's addresses."""

    path = "/deposits"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires("deposits:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, str]
    ) -> Page[DepositDocument]:
        """List deposits, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found, currencies = await deposit_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
        return page_of(
            found,
            page,
            lambda row: deposit_document(row, currencies[row.currency_id]),
            lambda row: row.id,
        )

    @get("/{deposit_id:str}", guards=[requires("deposits:read")])
    async def show(self, call: Call, deposit_id: str) -> DepositDocument:
        """Show one deposit."""
        actor = call.actor
        async with call.transaction() as session:
            row, currency = await deposit_of(
                session, actor.tenant, deposit_id, livemode=actor.livemode
            )
        return deposit_document(row, currency)
