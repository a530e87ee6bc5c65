"""A world with a second EVM network of the same keystore, and a second merchant who sells there."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, text

from gateway.addresses import repository as addresses
from gateway.addresses.signature import SignedAddress
from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    AddressPool,
    Currency,
    Customer,
    FreeAddress,
    Invoice,
    Network,
    PaymentOption,
)
from keystore.api import pool_message
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, FakeChain
from tests.fakes.network import FakeReader
from tests.watchers.world import (
    DUE_UNITS,
    ETH,
    NETWORK,
    POOL_KEY,
    PUBLIC_KEY,
    PUBLIC_URL,
    World,
    merchant_row,
    world,
)
from watchers import store
from watchers.addresses import AddressBook
from watchers.clock import now
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner

BASE, REAL = "base", "mainnet"
"""A network of the same mode as `NETWORK`, and one of the other."""
METHODS = {NETWORK: ETH, BASE: "ETH-BASE"}
MINE, THEIRS = "mer_1", "mer_2"
FIRST = 100
Row = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Siblings:
    """The world, and the API's side (role gw_api)."""

    w: World
    api: Database

    async def stock(
        self, network: str, letters: Sequence[str], first: int = FIRST, *, free: bool = True
    ) -> None:
        """Put addresses into a network's pool, behind everybody's back."""
        async with self.w.owner.unit_of_work(CROSS_TENANT) as session:
            for index, address in enumerate(letters, first):
                id_ = await session.scalar(pool_row(network, index, address))
                if free:
                    queued = insert(FreeAddress).values(network_id=network, address_id=id_)
                    await session.execute(queued)

    async def invoice(self, merchant: str, invoice_id: str, *networks: str) -> None:
        """Write an invoice of 1 ETH on each of these networks, without an address."""
        async with self.w.owner.unit_of_work(CROSS_TENANT) as session:
            old = await session.get_one(Invoice, "inv_1")
            values = {c.key: getattr(old, c.key) for c in Invoice.__mapper__.column_attrs}
            values |= {"id": invoice_id, "merchant_id": merchant}
            await session.execute(insert(Invoice).values(values))
            for network in networks:
                await session.execute(option_row(merchant, invoice_id, network))

    async def customer(self, merchant: str, customer_id: str) -> None:
        """Write down a customer of the test mode."""
        async with self.w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(Customer).values(
                    id=customer_id, merchant_id=merchant, livemode=False, metadata_={},
                    created_at=GENESIS_TIME, updated_at=GENESIS_TIME,
                )
            )  # fmt: skip

    async def claim(self, network: str, merchant: str, invoice_id: str) -> str | None:
        """Claim an address for an invoice, as the API does."""
        async with self.api.unit_of_work(merchant) as session:
            at = datetime.now(UTC)
            return letters_of(await addresses.claim(session, network, invoice_id, at))

    async def give(self, network: str, merchant: str, customer_id: str) -> str | None:
        """Give a customer its address, as the API does."""
        async with self.api.unit_of_work(merchant) as session:
            at = datetime.now(UTC)
            found = await addresses.claim_for_customer(session, network, customer_id, at)
            return None if found is None else letters_of(found[0])

    async def row(self, network: str, address: str | None) -> Row:
        """Return a pool row's status, invoice and customer."""
        query = "SELECT status, invoice_id, customer_id FROM address_pool WHERE network_id = :n AND address = :a"
        [found] = await self.rows(query, n=network, a=address)
        return found[0], found[1], found[2]

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Read as gw_owner."""
        async with self.w.owner.unit_of_work(CROSS_TENANT) as session:
            return list((await session.execute(text(query), values)).all())

    async def scanner(self, chain: FakeChain) -> Scanner:
        """Watch the second network's chain."""
        async with self.w.database.unit_of_work(CROSS_TENANT) as session:
            await store.create_cursor(session, BASE, chain.blocks[0].ref, now())
        book = AddressBook(PUBLIC_KEY)
        async with self.w.database.unit_of_work(CROSS_TENANT) as session:
            position = await store.take_lease(session, BASE, "test")
            assert position is not None
            await book.load(session, BASE)
            currencies = await store.currencies_of(session, BASE)
        reader = FakeReader(chain, chain.chain_id, frozenset({chain.token}))
        calm = Hysteresis(seconds=0)
        return Scanner(reader, self.w.database, currencies, book, position, PUBLIC_URL, hysteresis=calm)  # fmt: skip


def letters_of(found: SignedAddress | None) -> str | None:
    """Return an address that was claimed, None where none was left."""
    return None if found is None else found.address


def pool_row(network: str, index: int, address: str) -> Any:
    """Return the statement that adds a free pool row, signed for its network."""
    path = f"m/44'/60'/0'/0/{index}"
    signature = POOL_KEY.sign(pool_message(network, index, path, address))
    return (
        insert(AddressPool)
        .values(
            network_id=network, index=index, path=path, address=address, signature=signature,
            status="AVAILABLE", created_at=GENESIS_TIME,
        )
        .returning(AddressPool.id)
    )  # fmt: skip


def option_row(merchant: str, invoice_id: str, network: str) -> Any:
    """Return the statement that offers 1 ETH of a network."""
    return insert(PaymentOption).values(
        invoice_id=invoice_id, currency_id=METHODS[network], merchant_id=merchant,
        network_id=network, amount_units=DUE_UNITS, rate=Decimal(3000), rate_source="test",
        rate_at=GENESIS_TIME,
    )  # fmt: skip


@asynccontextmanager
async def siblings(database: FreshDatabase) -> AsyncIterator[Siblings]:
    """Build it: `base` is a test network as `ethereum` is, `mainnet` is not."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            for name, identity, test in ((BASE, "8453", True), (REAL, "1", False)):
                await session.execute(
                    insert(Network).values(
                        id=name, family="ethereum", display_name=name, identity=identity,
                        test=test, local=test, enabled=True,
                    )
                )  # fmt: skip
            coin = select(Currency).where(Currency.id == ETH)
            [old] = await session.scalars(coin)
            values = {c.key: getattr(old, c.key) for c in Currency.__mapper__.column_attrs}
            values |= {"id": METHODS[BASE], "network_id": BASE}
            await session.execute(insert(Currency).values(values))
            await session.execute(merchant_row(THEIRS))
            await session.execute(text("DELETE FROM free_address"))
        api = Database(database.url("api"), pool_size=8)
        try:
            yield Siblings(w, api)
        finally:
            await api.aclose()
