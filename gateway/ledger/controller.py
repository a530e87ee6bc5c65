"""Balances over HTTP for merchants, the house's wallets for operators."""

from typing import Any

from litestar import Controller, get

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of, whole
from gateway.ledger.documents import (
    ApplicationWalletDocument,
    BalanceDocument,
    EntryDocument,
    balance_document,
    entry_document,
    wallet_document,
)
from gateway.ledger.repository import Holder, balances_of, entry_page, wallets
from gateway.ledger.schemas import provide_filter
from gateway.paging import PageRequest


class LedgerController(Controller):
    """What a merchant has, and how it came to that."""

    @get("/balances", guards=[requires("balances:read")])
    async def balances(self, call: Call) -> Page[BalanceDocument]:
        """List one balance per currency."""
        actor = call.actor
        async with call.transaction() as session:
            found = await balances_of(session, Holder(actor.tenant), livemode=actor.livemode)
        return whole([balance_document(balance) for balance in found])

    @get(
        "/balance_entries",
        guards=[requires("balances:read")],
        dependencies={"wanted": provide_filter},
    )
    async def entries(
        self, call: Call, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[EntryDocument]:
        """List every change of a balance, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found = await entry_page(
                session, Holder(actor.tenant), page, wanted, livemode=actor.livemode
            )
        return page_of(found, page, entry_document, lambda entry: entry.id)


class ApplicationWalletController(Controller):
    """For operators."""

    @get("/application_wallets", guards=[requires("app_wallets:read")])
    async def index(self, call: Call) -> Page[ApplicationWalletDocument]:
        """List the wallets that pay, with what their chains say they hold."""
        async with call.transaction() as session:
            found = await wallets(session, livemode=call.actor.livemode)
        return whole([wallet_document(wallet, holdings) for wallet, holdings in found])
