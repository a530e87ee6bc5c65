"""A merchant's invoice and free pool addresses in a real database, watched on a local chain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from devnet import anvil, tron
from devnet.anvil import AnvilChain
from devnet.chain import LocalChain
from devnet.tron.local import TronChain
from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    Deposit,
    DepositSighting,
    Event,
    FreeAddress,
    Invoice,
    Network,
    Wallet,
)
from tests.conftest import FreshDatabase
from tests.watchers.world import (
    ETH,
    NETWORK,
    PUBLIC_KEY,
    PUBLIC_URL,
    USDC,
    _row,
    currency_row,
    invoice_rows,
    merchant_row,
    pool_row,
)
from watchers import store
from watchers.addresses import AddressBook
from watchers.clock import now
from watchers.network import ChainReader
from watchers.networks.ethereum.reader import EthereumReader
from watchers.networks.tron.reader import TronReader
from watchers.rpc import Endpoints, JsonRpc
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner

POOL = 20
STEPS_MAX = 400
TRON_SOLID_LAG = 6


@dataclass
class RealWorld:
    """The watcher's side of one chain and a window for the test; `pool[0]` is the invoice's."""

    chain: LocalChain
    reader: ChainReader
    pool: list[str]
    database: Database
    owner: Database
    scanner: Scanner

    async def scan(self) -> None:
        """Step until the cursor stands at the head and nothing is left to credit."""
        for _ in range(STEPS_MAX):
            before = self.scanner.position
            more = await self.scanner.step()
            at_head = self.scanner.position.height == self.scanner.tip.head
            if at_head and not more and before == self.scanner.position:
                return
        raise AssertionError(f"never settles: {self.scanner.position} {self.scanner.tip}")

    async def deposits(self) -> list[Deposit]:
        """Return every deposit, oldest first."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return list(await session.scalars(select(Deposit).order_by(Deposit.id)))

    async def sightings(self) -> list[DepositSighting]:
        """Return where deposits were seen, in order."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(DepositSighting).order_by(DepositSighting.seen_at)
            return list(await session.scalars(query))

    async def invoice(self) -> Invoice:
        """Return the invoice as it stands."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Invoice, "inv_1")

    async def events(self, subject: str) -> list[str]:
        """Return the event types of a subject in order."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Event.type).where(Event.subject == subject).order_by(Event.sequence)
            return list(await session.scalars(query))

    async def credited(self) -> dict[tuple[str, str], int]:
        """Return the confirmed units of every (address, currency)."""
        query = (
            select(Deposit.address, Deposit.currency_id, func.sum(Deposit.units))
            .where(Deposit.status == "confirmed")
            .group_by(Deposit.address, Deposit.currency_id)
        )
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            rows = await session.execute(query)
            return {(address, currency): int(units) for address, currency, units in rows}

    async def wallets(self) -> dict[tuple[str, str], int]:
        """Return what every account has in each currency."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            rows = await session.scalars(select(Wallet))
            return {(row.account, row.currency_id): row.confirmed for row in rows}

    async def on_chain(self) -> dict[tuple[str, str], int]:
        """Return what the chain says that every address holds."""
        held = {}
        for address in self.pool:
            for currency, asset in ((ETH, "native"), (USDC, self.chain.token)):
                units = await self.chain.balance(address, asset)
                if units:
                    held[address, currency] = units
        return held


@asynccontextmanager
async def ethereum_world(
    database: FreshDatabase, *, mining: bool = False
) -> AsyncIterator[RealWorld]:
    """Watch an anvil whose blocks come by `mine` only, unless `mining`; final is four behind."""
    async with anvil.running() as chain:
        if not mining:
            await chain.set_mining(on=False)
        endpoints = Endpoints([chain.url])
        reader = EthereumReader(
            JsonRpc(endpoints), int(chain.identity), frozenset({chain.token})
        )
        try:
            async with _world(database, chain, reader) as w:
                yield w
        finally:
            await endpoints.aclose()


@asynccontextmanager
async def tron_world(database: FreshDatabase) -> AsyncIterator[RealWorld]:
    """Watch a Tron emulator whose blocks come by `mine` only, solid six blocks behind."""
    async with tron.running(0, solid_lag=TRON_SOLID_LAG) as chain:
        endpoints = Endpoints([chain.url])
        reader = TronReader(endpoints, chain.identity, frozenset({chain.token}))
        try:
            async with _world(database, chain, reader) as w:
                yield w
        finally:
            await endpoints.aclose()


@asynccontextmanager
async def _world(
    database: FreshDatabase, chain: AnvilChain | TronChain, reader: ChainReader
) -> AsyncIterator[RealWorld]:
    pool = [await chain.fresh_address() for _ in range(POOL)]
    owner = Database(database.url("owner"), pool_size=2)
    watcher = Database(database.url("watcher"), pool_size=4)
    try:
        await _list(owner, chain, pool)
        await chain.mine(8)
        scanner = await scanner_of(watcher, reader)
        yield RealWorld(chain, reader, pool, watcher, owner, scanner)
        await scanner.aclose()
    finally:
        await watcher.aclose()
        await owner.aclose()


async def _list(owner: Database, chain: LocalChain, pool: list[str]) -> None:
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            _row(
                Network, id=NETWORK, family=chain.family, display_name="Chain",
                identity=chain.identity, test=True, local=True, enabled=True,
            )
        )  # fmt: skip
        await session.execute(currency_row(ETH, None, 18))
        await session.execute(currency_row(USDC, chain.token, 6))
        await session.execute(merchant_row())
        for statement in invoice_rows(pool[0], datetime.now(UTC) + timedelta(hours=1)):
            await session.execute(statement)
        for index, address in enumerate(pool):
            added = await session.scalar(
                pool_row(index, address, "inv_1" if index == 0 else None)
            )
            if index:
                free = _row(FreeAddress, network_id=NETWORK, address_id=added)
                await session.execute(free)


async def scanner_of(database: Database, reader: ChainReader) -> Scanner:
    """Take the lease and begin where the cursor stands, at the final block the first time."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        fresh = not await store.has_cursor(session, NETWORK)
    if fresh:
        start = (await reader.read((await reader.tip()).final)).ref
        async with database.unit_of_work(CROSS_TENANT) as session:
            await store.create_cursor(session, NETWORK, start, now())
    book = AddressBook(PUBLIC_KEY)
    async with database.unit_of_work(CROSS_TENANT) as session:
        position = await store.take_lease(session, NETWORK, "test")
        assert position is not None
        await book.load(session, NETWORK)
        currencies = await store.currencies_of(session, NETWORK)
    return Scanner(
        reader, database, currencies, book, position, PUBLIC_URL,
        hysteresis=Hysteresis(seconds=0),
    )  # fmt: skip
