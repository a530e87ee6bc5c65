"""What customers have and how it moves, over HTTP: addresses, balances, entries, transfers."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.service import alarm
from gateway.customers import addresses, transfers
from gateway.customers.controller import counter_of
from gateway.customers.documents import (
    DepositAddressDocument,
    TransferDocument,
    transfer_document,
)
from gateway.customers.repository import address_cursor, address_page, transfer_page
from gateway.customers.schemas import CreateTransfer, GiveAddress, IdParameter
from gateway.customers.transfers import Transfer
from gateway.db import Database
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.idempotency import KEY_REQUIRED
from gateway.http.paging import Page, page_of, whole
from gateway.ledger.documents import (
    BalanceDocument,
    EntryDocument,
    balance_document,
    entry_document,
)
from gateway.ledger.repository import Holder, balances_of, entry_page
from gateway.ledger.schemas import provide_filter
from gateway.models import AddressPool
from gateway.paging import PageRequest, Slice
from gateway.settings import Settings


class CustomerMoneyController(Controller):
    """Of one customer."""

    path = "/customers/{customer_id:str}"

    @post("/deposit_addresses", guards=[requires("customers:write")], status_code=200)
    async def give_address(
        self,
        call: Call,
        settings: Settings,
        database: Database,
        customer_id: str,
        data: GiveAddress,
    ) -> Response[DepositAddressDocument]:
        """Give the customer its address on a network; asked for again it is the same one."""
        public_key = settings.keystore.pool_public_key

        async def work(session: AsyncSession) -> DepositAddressDocument:
            counter = counter_of(call, session)
            return await addresses.give_address(counter, customer_id, data.network, public_key)

        async with alarm(database, call.actor, call.moment):
            return await call.once(work, status=200)

    @get("/deposit_addresses", guards=[requires("customers:read")])
    async def addresses(
        self, call: Call, settings: Settings, database: Database, customer_id: str
    ) -> Page[DepositAddressDocument]:
        """List the customer's addresses, one per network at most."""
        async with alarm(database, call.actor, call.moment), call.transaction() as session:
            row = await counter_of(call, session).customer(customer_id)
            every = PageRequest(limit=1000)
            found = await _addresses(call, session, every, row.id)
            return whole(await _shown(call, session, settings, found.rows))

    @get("/balances", guards=[requires("customers:read")])
    async def balances(self, call: Call, customer_id: str) -> Page[BalanceDocument]:
        """List one balance per currency."""
        async with call.transaction() as session:
            row = await counter_of(call, session).customer(customer_id)
            holder = Holder(row.merchant_id, row.id)
            found = await balances_of(session, holder, livemode=row.livemode)
        return whole([balance_document(balance) for balance in found])

    @get(
        "/balance_entries",
        guards=[requires("customers:read")],
        dependencies={"wanted": provide_filter},
    )
    async def entries(
        self, call: Call, customer_id: str, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[EntryDocument]:
        """List every change of the customer's balances, newest first."""
        async with call.transaction() as session:
            row = await counter_of(call, session).customer(customer_id)
            holder = Holder(row.merchant_id, row.id)
            found = await entry_page(session, holder, page, wanted, livemode=row.livemode)
        return page_of(found, page, entry_document, lambda entry: entry.id)

    @post(
        "/transfers",
        guards=[requires("transfers:create", step_up=True)],
        opt=KEY_REQUIRED,
    )
    async def transfer(
        self, call: Call, customer_id: str, data: CreateTransfer
    ) -> Response[TransferDocument]:
        """Move money between you and the customer. Needs an `Idempotency-Key`."""
        wanted = Transfer(data.direction, data.payment_method, data.amount, data.description)

        async def work(session: AsyncSession) -> TransferDocument:
            return await transfers.transfer(counter_of(call, session), customer_id, wanted)

        return await call.once(work)

    @get("/transfers", guards=[requires("customers:read")])
    async def transfers(
        self, call: Call, customer_id: str, page: PageRequest
    ) -> Page[TransferDocument]:
        """List the customer's transfers, newest first."""
        async with call.transaction() as session:
            row = await counter_of(call, session).customer(customer_id)
            found, currencies = await transfer_page(session, row, page)
        return page_of(
            found,
            page,
            lambda each: transfer_document(each, currencies[each.currency_id]),
            lambda each: each.id,
        )


class DepositAddressController(Controller):
    """Of all customers of the merchant."""

    @get("/deposit_addresses", guards=[requires("customers:read")])
    async def index(
        self,
        call: Call,
        settings: Settings,
        database: Database,
        page: PageRequest,
        customer_id: IdParameter = None,
    ) -> Page[DepositAddressDocument]:
        """List permanent addresses, those of the newest customers first."""
        async with alarm(database, call.actor, call.moment), call.transaction() as session:
            found = await _addresses(call, session, page, customer_id)
            documents = await _shown(call, session, settings, found.rows)
        shaped = dict(zip((row.id for row in found.rows), documents, strict=True))
        return page_of(found, page, lambda row: shaped[row.id], address_cursor)


async def _addresses(
    call: Call, session: AsyncSession, page: PageRequest, customer_id: str | None
) -> Slice[AddressPool]:
    return await address_page(
        session,
        call.actor.tenant,
        page,
        livemode=call.actor.livemode,
        customer_id=customer_id,
    )


async def _shown(
    call: Call, session: AsyncSession, settings: Settings, rows: Sequence[AddressPool]
) -> list[DepositAddressDocument]:
    public_key = settings.keystore.pool_public_key
    return await addresses.shown(counter_of(call, session), rows, public_key)
