"""A merchant's invoice watched on a real anvil, with the reconciler beside the scanner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from devnet.anvil import AnvilChain
from gateway.db import CROSS_TENANT, Database
from gateway.deposits import service as deposits
from gateway.deposits.service import Desk
from gateway.invoices.standing import NO_HEADS
from gateway.models import (
    AddressDrift,
    ApplicationWallet,
    AssetHold,
    Deposit,
    Reconciliation,
    Withdrawal,
)
from tests.conftest import FreshDatabase
from tests.watchers import world as rows
from tests.watchers.world import ETH, NETWORK, PUBLIC_KEY, PUBLIC_URL, USDC, World
from watchers import store
from watchers.addresses import AddressBook, arrivals
from watchers.clock import now
from watchers.network import ChainReader
from watchers.networks.ethereum.balances import EthereumBalances
from watchers.networks.ethereum.reader import EthereumReader
from watchers.reconcile.balances import BalanceReader
from watchers.reconcile.credit import Credits
from watchers.reconcile.reconciler import Reconciler
from watchers.rpc import Endpoints, JsonRpc
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner

FINAL_LAG = 4
ROUNDS_MAX = 200


@dataclass
class Counted(World):
    """A world on anvil; `reconciler` compares it with the books."""

    chain: Any
    reconciler: Reconciler = field(kw_only=True)
    endpoints: Endpoints = field(kw_only=True)

    async def settle(self) -> None:
        """Make everything final, scan it, compare once, and credit what that has found."""
        await self.bury()
        await self.turn()
        await self.scan()

    async def bury(self) -> None:
        """Make everything so far final and scan it."""
        await self.chain.mine(FINAL_LAG + 1)
        await self.scan()

    async def turn(self) -> None:
        """Compare until the reconciler rests, from the beginning."""
        self.reconciler.rest = None
        for _ in range(ROUNDS_MAX):
            if await self.reconciler.round():
                continue
            if not self.reconciler.waits_for_scan:
                return
            await self.chain.mine(1)
            await self.scan()
        raise AssertionError("the reconciler does not come to rest")

    async def rescan_with_traces(self, height: int) -> None:
        """Record a block's transfers again, as a node with traces shows them."""
        reader = EthereumReader(
            JsonRpc(self.endpoints),
            int(self.chain.identity),
            frozenset({self.chain.token}),
            traces=lambda: True,
        )
        block = await reader.read(height)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            hits = [(block, hit) for hit in self.scanner.book.hits(block, frozenset())]
            found = await arrivals(
                session, NETWORK, self.scanner.currencies, self.scanner.book, hits
            )
            await deposits.record(Desk(session, now(), PUBLIC_URL), found, NO_HEADS)

    async def height_of(self, tx_hash: str) -> int:
        """Return the block of a transaction."""
        receipt = await self.chain.rpc.call("eth_getTransactionReceipt", tx_hash)
        return int(receipt["blockNumber"], 16)

    async def rows_of(self, model: Any) -> list[Any]:
        """Return every row of a table."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            fresh = select(model).execution_options(populate_existing=True)
            return list(await session.scalars(fresh))

    async def figures(self, currency: str = ETH) -> Reconciliation:
        """Return the newest look at an asset."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Reconciliation, currency)

    async def holds(self) -> list[tuple[str, str, str]]:
        """Return currency, cause and address of every hold."""
        found: list[AssetHold] = await self.rows_of(AssetHold)
        return sorted((hold.currency_id, hold.cause, hold.address) for hold in found)

    async def drifts(self) -> list[tuple[str, str, int]]:
        """Return currency, address and units of everything that drifts."""
        found: list[AddressDrift] = await self.rows_of(AddressDrift)
        return sorted((drift.currency_id, drift.address, drift.units) for drift in found)

    async def balance_deposits(self) -> list[Deposit]:
        """Return the deposits that the reconciler found."""
        return [deposit for deposit in await self.deposits() if deposit.kind == "balance"]

    async def approved(self, currency: str, units: int, number: int = 1) -> str:
        """Put an approved withdrawal, without its hold in the ledger."""
        id_ = f"wdr_{number}"
        at = datetime.now(UTC)
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(Withdrawal).values(
                    id=id_, merchant_id="mer_1", livemode=False, currency_id=currency,
                    network_id=NETWORK, units=units, fee_units=0, destination="0x" + "ab" * 20,
                    metadata_={}, status="approved", created_by="key_1", created_at=at,
                    approved_at=at, updated_at=at,
                )
            )  # fmt: skip
        return id_


@dataclass(frozen=True)
class Eyes:
    """How one chain is read; the network is called `ethereum` in every test's database."""

    reader: ChainReader
    balances: BalanceReader
    endpoints: Endpoints
    dense: bool = True


def ethereum_eyes(chain: AnvilChain, token: str, *, traces: bool) -> Eyes:
    """Read an anvil."""
    rpc = JsonRpc(Endpoints([chain.url]))
    reader = EthereumReader(rpc, int(chain.identity), frozenset({token}), traces=lambda: traces)
    return Eyes(reader, EthereumBalances(rpc), rpc.endpoints)


@asynccontextmanager
async def counted(
    database: FreshDatabase,
    chain: Any,
    *,
    token: str | None = None,
    traces: bool = False,
    expires_at: datetime | None = None,
    needed: int = 1,
    funded: int = 0,
    minimum: int = 0,
    eyes: Eyes | None = None,
) -> AsyncIterator[Counted]:
    """Build it: address 0 belongs to invoice `inv_1`, 1 is free, `hot` is the hot wallet.

    The invoice asks for 1 ETH or 3000 of `token`, which is the chain's own by default. `funded`
    is what the hot wallet holds before watching begins, `minimum` the smallest ETH deposit.
    """
    token = token or chain.token
    assigned, free, hot = [await chain.fresh_address() for _ in range(3)]
    if funded:
        await chain.pay(hot, funded)
    owner = Database(database.url("owner"), pool_size=2)
    watcher = Database(database.url("watcher"), pool_size=4)
    eyes = eyes or ethereum_eyes(chain, token, traces=traces)
    expires_at = expires_at or datetime.now(UTC) + timedelta(hours=1)
    try:
        await _stage(owner, chain, token, (assigned, free, hot), expires_at, minimum)
        scanner = await _scanner(watcher, eyes)
        credits_ = Credits(
            NETWORK, eyes.balances, {}, needed, watcher, scanner.currencies, scanner.book,
            scanner.position, PUBLIC_URL,
        )  # fmt: skip
        yield Counted(
            chain, assigned, free, hot, watcher, owner, scanner,
            reconciler=Reconciler(credits_, 3600), endpoints=eyes.endpoints,
        )  # fmt: skip
    finally:
        await eyes.endpoints.aclose()
        await watcher.aclose()
        await owner.aclose()


async def _stage(
    owner: Database,
    chain: Any,
    token: str,
    addresses: tuple[str, str, str],
    expires_at: datetime,
    minimum: int,
) -> None:
    assigned, free, hot = addresses
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(rows.network_row(chain))
        await session.execute(rows.currency_row(ETH, None, 18, minimum))
        await session.execute(rows.currency_row(USDC, token, 6))
        await session.execute(rows.merchant_row())
        for statement in rows.invoice_rows(assigned, expires_at):
            await session.execute(statement)
        await session.execute(rows.pool_row(0, assigned, "inv_1"))
        await session.execute(rows.pool_row(1, free))
        await session.execute(
            insert(ApplicationWallet).values(
                id="awl_1", network_id=NETWORK, purpose="hot", address=hot, path="m",
                next_nonce=0, created_at=datetime.now(UTC),
            )
        )  # fmt: skip


async def _scanner(watcher: Database, eyes: Eyes) -> Scanner:
    book, reader = AddressBook(PUBLIC_KEY), eyes.reader
    start = (await reader.read((await reader.tip()).head)).ref
    async with watcher.unit_of_work(CROSS_TENANT) as session:
        await store.create_cursor(session, NETWORK, start, now())
    async with watcher.unit_of_work(CROSS_TENANT) as session:
        position = await store.take_lease(session, NETWORK, "test")
        assert position is not None
        await book.load(session, NETWORK)
        currencies = await store.currencies_of(session, NETWORK)
    return Scanner(
        reader, watcher, currencies, book, position, PUBLIC_URL,
        dense=eyes.dense, hysteresis=Hysteresis(seconds=0),
    )  # fmt: skip
