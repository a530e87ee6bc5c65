"""Deposits over HTTP: what has arrived, read only, and why it was credited or not."""

from typing import Any

from litestar import Controller, get

from gateway.catalog.repository import scanned_heights
from gateway.customers.repository import customer_of
from gateway.deposits.documents import DepositDocument, deposit_document
from gateway.deposits.explanation import ExplanationDocument, explanation_document
from gateway.deposits.repository import deposit_of, deposit_page, require_network
from gateway.deposits.schemas import (
    Address,
    Id,
    NetworkParameter,
    Status,
    TxHash,
    TxParameter,
)
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import CreatedBefore, CreatedFrom, in_utc
from gateway.paging import PageRequest
from gateway.questions.service import Questions


async def provide_filter(
    *,
    invoice_id: Id = None,
    customer_id: Id = None,
    status: Status | None = None,
    tx_hash: TxHash = None,
    payment_method: Id = None,
    address: Address = None,
    created_from: CreatedFrom = None,
    created_before: CreatedBefore = None,
) -> dict[str, Any]:
    """Read the filters of a list; a hash and an address may be written in any way."""
    given = {
        "invoice_id": invoice_id,
        "customer_id": customer_id,
        "status": status,
        "tx_hash": tx_hash,
        "payment_method": payment_method,
        "address": address,
        "created_from": in_utc(created_from),
        "created_before": in_utc(created_before),
    }
    return {name: value for name, value in given.items() if value is not None}


class CustomerDepositController(Controller):
    """Transfers that arrived at one customer's addresses."""

    @get("/customers/{customer_id:str}/deposits", guards=[requires("deposits:read")])
    async def index(
        self, call: Call, page: PageRequest, customer_id: str
    ) -> Page[DepositDocument]:
        """List a customer's deposits, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            await customer_of(session, actor.tenant, customer_id, livemode=actor.livemode)
            wanted = {"customer_id": customer_id}
            found, currencies = await deposit_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
            heads = await scanned_heights(session)
        return page_of(
            found,
            page,
            lambda row: deposit_document(row, currencies[row.currency_id], heads),
            lambda row: row.id,
        )


class DepositController(Controller):
    """Transfers that arrived at the merchant's addresses."""

    path = "/deposits"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires("deposits:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[DepositDocument]:
        """List deposits, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found, currencies = await deposit_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
            heads = await scanned_heights(session)
        return page_of(
            found,
            page,
            lambda row: deposit_document(row, currencies[row.currency_id], heads),
            lambda row: row.id,
        )

    @get(
        "/explain",
        guards=[requires("deposits:read")],
        opt={"refusals": (429,)},
    )
    async def explain(
        self, call: Call, questions: Questions, network: NetworkParameter, tx: TxParameter
    ) -> ExplanationDocument:
        """Say gate by gate why a transaction was or was not credited; its watcher is asked."""
        actor = call.actor
        async with call.transaction() as session:
            await require_network(session, network, test=not actor.livemode)
        answer = await questions.ask(actor, "explain", network, {"tx": tx}, call.moment)
        return explanation_document(answer)

    @get("/{deposit_id:str}", guards=[requires("deposits:read")])
    async def show(self, call: Call, deposit_id: str) -> DepositDocument:
        """Show one deposit."""
        actor = call.actor
        async with call.transaction() as session:
            row, currency = await deposit_of(
                session, actor.tenant, deposit_id, livemode=actor.livemode
            )
            heads = await scanned_heights(session)
        return deposit_document(row, currency, heads)
