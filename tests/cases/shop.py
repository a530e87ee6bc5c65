"""Two invoices watched on a real anvil, with the reader that the configuration builds."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select

from devnet.anvil import AnvilChain
from devnet.system.waiting import until
from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    Currency,
    Deposit,
    Event,
    Invoice,
    Journal,
    Network,
    PaymentOption,
    Wallet,
)
from gateway.settings import NetworkSettings
from tests.conftest import FreshDatabase
from tests.watchers.world import (
    NETWORK,
    PUBLIC_KEY,
    PUBLIC_URL,
    currency_row,
    merchant_row,
    pool_row,
)
from watchers import families, store
from watchers.addresses import AddressBook
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import Incomplete
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner

ETH, USDT = "ETH-ETHEREUM", "USDT-ETHEREUM"
DUE_UNITS = 10**18
DUE_TOKENS = 3_000 * 10**6
FINAL_LAG = 6
"""Anvil calls four blocks behind its tip final; two more for the scan to notice."""
GAS = hex(500_000)
"""Given where anvil would refuse to estimate: the transaction is meant to fail."""


@dataclass
class Shop:
    """Invoices `inv_1` and `inv_2`, each with an address; the books as the owner sees them."""

    chain: AnvilChain
    network: Chain
    scanner: Scanner
    database: Database
    owner: Database
    first: str
    second: str

    async def settle(self) -> None:
        """Mine until everything that is on the chain now is final, and scan it."""
        height = (await self.scanner.reader.tip()).head
        await self.chain.mine(FINAL_LAG)

        async def final() -> bool | None:
            try:
                while await self.scanner.step():
                    pass
            except Incomplete:
                return None
            return self.scanner.position.final_height >= height or None

        await until(final, f"finality of block {height}")

    async def credited(self) -> list[tuple[str, str, int, str | None]]:
        """Return (kind, currency, units, invoice) of every deposit, in order of its identity."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Deposit).order_by(
                Deposit.block_height, Deposit.kind, Deposit.ordinal
            )
            rows = (await session.scalars(query)).all()
        assert {row.status for row in rows} <= {"confirmed"}
        return [(row.kind, row.currency_id, int(row.units), row.invoice_id) for row in rows]

    async def wallet(self, account: str = "mer_1", currency: str = ETH) -> int:
        """Return the confirmed units of an account."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Wallet.confirmed).where(
                Wallet.account == account, Wallet.currency_id == currency
            )
            return int(await session.scalar(query) or 0)

    async def events(self) -> list[str]:
        """Return every event type that anybody is told, in order."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return list(await session.scalars(select(Event.type).order_by(Event.at, Event.id)))

    async def invoice(self, invoice_id: str = "inv_1") -> tuple[str, str]:
        """Return status and exception of an invoice."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            row = await session.get_one(Invoice, invoice_id)
            return row.status, row.exception

    async def journals(self) -> int:
        """Return how many journals there are."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return len((await session.scalars(select(Journal.id))).all())

    async def nothing_but_the_control(self) -> None:
        """Pay `inv_2` honestly and demand that this alone was credited, of all that happened."""
        await self.chain.pay(self.second, DUE_UNITS)
        await self.settle()
        assert await self.credited() == [("native", ETH, DUE_UNITS, "inv_2")]
        assert await self.invoice("inv_1") == ("pending", "none")
        assert await self.invoice("inv_2") == ("settled", "none")
        assert await self.wallet() == DUE_UNITS
        assert await self.wallet(currency=USDT) == 0


@asynccontextmanager
async def shop(
    chain: AnvilChain,
    database: FreshDatabase,
    *,
    token: str | None = None,
    others: Mapping[str, str] | None = None,
    urls: Sequence[str] = (),
    logged_from: int | None = None,
) -> AsyncIterator[Shop]:
    """Open it: `token` is listed as USDT (the chain's own by default), `others` beside it.

    `logged_from` is that of the network's configuration.
    """
    listed = {USDT: token or chain.token, **(others or {})}
    first, second = [await chain.fresh_address() for _ in range(2)]
    owner = Database(database.url("owner"), pool_size=2)
    watcher = Database(database.url("watcher"), pool_size=4)
    network = None
    try:
        async with owner.unit_of_work(CROSS_TENANT) as session:
            for statement in _rows(chain, listed, {"inv_1": first, "inv_2": second}):
                await session.execute(statement)
            currencies = await store.currencies_of(session, NETWORK)
        network = connected(chain, currencies, urls, logged_from)
        scanner = await _scanner(network, watcher, currencies)
        yield Shop(chain, network, scanner, watcher, owner, first, second)
    finally:
        if network is not None:
            await network.reader.aclose()
            await network.writer.aclose()
        await watcher.aclose()
        await owner.aclose()


def connected(
    chain: AnvilChain,
    currencies: Sequence[Currency],
    urls: Sequence[str] = (),
    logged_from: int | None = None,
) -> Chain:
    """Build reader and writer as a configured process does."""
    settings = NetworkSettings(
        family="ethereum",
        display_name="Ethereum",
        identity=chain.identity,
        rpc_urls=list(urls) or [chain.url],
        assets=[],
        test=True,
        local=True,
        logged_from=logged_from,
    )
    return families.connect(NETWORK, settings, currencies)


async def again(shop: Shop) -> Shop:
    """Begin as another process: another lease, another book, another view of the node."""
    async with shop.database.unit_of_work(CROSS_TENANT) as session:
        await store.release_lease(session, shop.scanner.position)
    scanner = await _scanner(shop.network, shop.database, shop.scanner.currencies)
    return replace(shop, scanner=scanner)


async def _scanner(
    network: Chain, database: Database, currencies: Sequence[Currency]
) -> Scanner:
    book = AddressBook(PUBLIC_KEY)
    async with database.unit_of_work(CROSS_TENANT) as session:
        if not await store.has_cursor(session, NETWORK):
            head = (await network.reader.tip()).head
            start = await network.reader.ref_at(head)
            await store.create_cursor(session, NETWORK, start, now())
    async with database.unit_of_work(CROSS_TENANT) as session:
        position = await store.take_lease(session, NETWORK, "test")
        assert position is not None
        await book.load(session, NETWORK)
    return Scanner(
        network.reader, database, currencies, book, position, PUBLIC_URL,
        hysteresis=Hysteresis(seconds=0),
    )  # fmt: skip


def _rows(chain: AnvilChain, tokens: Mapping[str, str], invoices: Mapping[str, str]) -> Any:
    yield insert(Network).values(
        id=NETWORK, family="ethereum", display_name="Ethereum", identity=chain.identity,
        test=True, local=True, enabled=True,
    )  # fmt: skip
    yield currency_row(ETH, None, 18)
    for currency, contract in tokens.items():
        yield currency_row(currency, contract, 6)
    yield merchant_row()
    for index, (invoice_id, address) in enumerate(invoices.items()):
        yield from _invoice(invoice_id, index, address, [ETH, *tokens])


def _invoice(invoice_id: str, index: int, address: str, currencies: Sequence[str]) -> Any:
    moment = datetime.now(UTC)
    yield insert(Invoice).values(
        id=invoice_id, merchant_id="mer_1", livemode=False, metadata_={},
        amount=Decimal(3000), currency="USD", tolerance_basis_points=50, confirmations=None,
        status="pending", exception="none", final=False, created_at=moment,
        expires_at=moment + timedelta(hours=1), monitoring_until=moment + timedelta(days=7),
    )  # fmt: skip
    for currency in currencies:
        native = currency == ETH
        yield insert(PaymentOption).values(
            invoice_id=invoice_id, currency_id=currency, merchant_id="mer_1",
            network_id=NETWORK, amount_units=DUE_UNITS if native else DUE_TOKENS,
            rate=Decimal(3000 if native else 1), rate_source="test", rate_at=moment,
            address=address, address_index=index, address_path="m", address_signature=b"-",
            activated_at=moment,
        )  # fmt: skip
    yield pool_row(index, address, invoice_id)
