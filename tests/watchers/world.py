"""A merchant, an invoice and a pool address in a real database, watched on a fake chain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select, text

from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    AddressPool,
    ApplicationWallet,
    Currency,
    Deposit,
    Event,
    FreeAddress,
    Invoice,
    Journal,
    Merchant,
    Network,
    PaymentOption,
    Wallet,
)
from keystore.api import pool_message
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, FakeChain
from tests.fakes.network import FakeReader
from watchers import store
from watchers.addresses import AddressBook
from watchers.clock import now
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner

NETWORK = "ethereum"
ETH, USDC = "ETH-ETHEREUM", "USDC-ETHEREUM"
PUBLIC_URL = "https://pay.example"
DUE_UNITS = 10**18
POOL_KEY = Ed25519PrivateKey.from_private_bytes(b"pool key of the test".ljust(32))
PUBLIC_KEY = POOL_KEY.public_key().public_bytes_raw().hex()


@dataclass
class World:
    """The watcher's side (role gw_watcher) and a window for the test (role gw_owner)."""

    chain: FakeChain
    assigned: str
    free: str
    hot: str
    database: Database
    owner: Database
    scanner: Scanner

    async def scan(self) -> None:
        """Step until there is nothing more to do now."""
        for _ in range(50):
            if not await self.scanner.step():
                return

    async def pay(
        self, to: str, units: int, asset: str = "native", *, final: bool = True
    ) -> str:
        """Pay and scan; with `final`, bury it first."""
        tx_hash = await self.chain.pay(to, units, asset)
        if final:
            await self.chain.mine(self.chain.final_lag)
        await self.scan()
        return tx_hash

    async def wallet(self, account: str, currency: str = ETH) -> tuple[int, int]:
        """Return confirmed and locked units."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Wallet).where(
                Wallet.account == account, Wallet.currency_id == currency
            )
            row = (await session.scalars(query)).one_or_none()
            return (0, 0) if row is None else (row.confirmed, row.locked)

    async def deposits(self) -> list[Deposit]:
        """Return every deposit, oldest first."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return list(await session.scalars(select(Deposit).order_by(Deposit.id)))

    async def invoice(self, invoice_id: str = "inv_1") -> Invoice:
        """Return an invoice as it stands."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Invoice, invoice_id)

    async def events(self, subject: str = "inv_1") -> list[str]:
        """Return the event types of a subject in order."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Event.type).where(Event.subject == subject).order_by(Event.sequence)
            return list(await session.scalars(query))

    async def journals(self) -> list[tuple[str, str]]:
        """Return (kind, ref) of every journal."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            rows = await session.execute(select(Journal.kind, Journal.ref).order_by(Journal.id))
            return [(row.kind, row.ref) for row in rows]

    async def sum_is_zero(self) -> bool:
        """Tell whether all wallets together are zero in each currency."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = text(
                "SELECT count(*) FROM (SELECT currency_id FROM wallet GROUP BY currency_id "
                "HAVING sum(confirmed + locked) <> 0) AS unequal"
            )
            unequal: int = await session.scalar(query)
            return unequal == 0

    async def restart(self) -> None:
        """Begin again as a new process would: from the database alone."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.release_lease(session, self.scanner.position)
        self.scanner = await _scanner(self.chain, self.database)


def _row(model: Any, **values: Any) -> Any:
    return insert(model).values(**values)


def network_row(chain: FakeChain) -> Any:
    """Return the statement that lists the fake network."""
    return _row(
        Network, id=NETWORK, family="ethereum", display_name="Ethereum",
        identity=chain.identity, test=True, local=True, enabled=True,
    )  # fmt: skip


def currency_row(id_: str, contract: str | None, decimals: int, minimum: int = 0) -> Any:
    """Return the statement that lists a currency."""
    return _row(
        Currency, id=id_, network_id=NETWORK, code=id_.split("-", maxsplit=1)[0], contract=contract,
        token_program=None, decimals=decimals, minimum_deposit_units=minimum,
        withdrawal_fee_units=0, automatic_approval_below_units=0, enabled=True,
    )  # fmt: skip


def merchant_row(merchant_id: str = "mer_1") -> Any:
    """Return the statement that adds a merchant."""
    return _row(
        Merchant, id=merchant_id, name="Shop", status="active", invoice_expiry_minutes=60,
        monitoring_days=7, tolerance_basis_points=50, created_at=GENESIS_TIME,
    )  # fmt: skip


def pool_row(index: int, address: str, invoice_id: str | None = None) -> Any:
    """Return the statement that adds a pool address, assigned where an invoice is named."""
    path = f"m/44'/60'/0'/0/{index}"
    signature = POOL_KEY.sign(pool_message(NETWORK, index, path, address))
    return _row(
        AddressPool, network_id=NETWORK, index=index, path=path,
        address=address, signature=signature, created_at=GENESIS_TIME, invoice_id=invoice_id,
        status="ASSIGNED" if invoice_id else "AVAILABLE",
        merchant_id="mer_1" if invoice_id else None,
    ).returning(AddressPool.id)  # fmt: skip


def invoice_rows(address: str, expires_at: datetime, confirmations: int | None = None) -> Any:
    """Return the statements that add an invoice of 1 ETH or 3000 USDC."""
    until = expires_at + timedelta(days=36_500)
    yield _row(
        Invoice, id="inv_1", merchant_id="mer_1", livemode=False, metadata_={},
        amount=Decimal(3000), currency="USD", tolerance_basis_points=50,
        confirmations=confirmations, status="pending", exception="none", final=False,
        created_at=GENESIS_TIME, expires_at=expires_at, monitoring_until=until,
    )  # fmt: skip
    for currency, units, rate in ((ETH, DUE_UNITS, 3000), (USDC, 3000 * 10**6, 1)):
        yield _row(
            PaymentOption, invoice_id="inv_1", currency_id=currency, merchant_id="mer_1",
            network_id=NETWORK, amount_units=units, rate=Decimal(rate), rate_source="test",
            rate_at=GENESIS_TIME, address=address, address_index=0, address_path="m",
            address_signature=b"-", activated_at=GENESIS_TIME,
        )  # fmt: skip


async def _scanner(chain: FakeChain, database: Database) -> Scanner:
    reader = FakeReader(chain, chain.chain_id, frozenset({chain.token}))
    book = AddressBook(PUBLIC_KEY)
    async with database.unit_of_work(CROSS_TENANT) as session:
        if not await store.has_cursor(session, NETWORK):
            await store.create_cursor(session, NETWORK, chain.blocks[0].ref, now())
    async with database.unit_of_work(CROSS_TENANT) as session:
        position = await store.take_lease(session, NETWORK, "test")
        assert position is not None
        await book.load(session, NETWORK)
        currencies = await store.currencies_of(session, NETWORK)
    return Scanner(
        reader, database, currencies, book, position, PUBLIC_URL,
        hysteresis=Hysteresis(seconds=0),
    )  # fmt: skip


@asynccontextmanager
async def world(
    database: FreshDatabase,
    *,
    expires_at: datetime = GENESIS_TIME + timedelta(hours=1),
    minimum: int = 0,
    confirmations: int | None = None,
) -> AsyncIterator[World]:
    """Build it: address 0 belongs to invoice `inv_1`, 1 is free, `hot` is the hot wallet."""
    chain = FakeChain(seed=1)
    assigned, free, hot = [await chain.fresh_address() for _ in range(3)]
    owner = Database(database.url("owner"), pool_size=2)
    watcher = Database(database.url("watcher"), pool_size=4)
    try:
        async with owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(network_row(chain))
            await session.execute(currency_row(ETH, None, 18, minimum))
            await session.execute(currency_row(USDC, chain.token, 6))
            await session.execute(merchant_row())
            for statement in invoice_rows(assigned, expires_at, confirmations):
                await session.execute(statement)
            await session.execute(pool_row(0, assigned, "inv_1"))
            free_id = await session.scalar(pool_row(1, free))
            await session.execute(_row(FreeAddress, network_id=NETWORK, address_id=free_id))
            await session.execute(
                _row(
                    ApplicationWallet,
                    id="awl_1",
                    network_id=NETWORK,
                    purpose="hot",
                    address=hot,
                    path="m",
                    next_nonce=0,
                    created_at=datetime.now(UTC),
                )
            )
        scanner = await _scanner(chain, watcher)
        yield World(chain, assigned, free, hot, watcher, owner, scanner)
    finally:
        await watcher.aclose()
        await owner.aclose()
