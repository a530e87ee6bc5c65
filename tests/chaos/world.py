"""Invoices of a real local chain, watched with the whole engine through nodes that fail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, text

from devnet.chain import LocalChain
from devnet.system.waiting import Overdue, until
from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    AddressPool,
    Cursor,
    Deposit,
    Invoice,
    Merchant,
    Network,
    PaymentOption,
    Wallet,
)
from keystore.api import pool_message
from tests.chaos.networks import currencies, eyes, settings
from tests.conftest import FreshDatabase
from tests.watchers.world import POOL_KEY, PUBLIC_KEY, PUBLIC_URL
from watchers import store
from watchers.addresses import AddressBook
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import Incomplete, NodeUnavailable
from watchers.scan.evidence import large_units
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner

MERCHANT = "mer_1"
DUE_UNITS = 10**6
PAUSE_SECONDS = 0.02
TROUBLE = (Incomplete, NodeUnavailable)


@dataclass
class Watched:
    """A chain whose `addresses` each belong to an invoice; `stumbles` counts troubled steps."""

    chain: LocalChain
    network: Chain
    scanner: Scanner
    database: Database
    owner: Database
    addresses: Sequence[str]
    stumbles: int = 0

    async def step(self) -> bool:
        """Make one step of the scan; trouble of the nodes is counted and waited out."""
        try:
            more = await self.scanner.step()
        except TROUBLE:
            self.stumbles += 1
            more = False
        if not more:
            await asyncio.sleep(PAUSE_SECONDS)
        return more

    async def scanned(self, height: int, *, seconds_max: float = 120.0) -> None:
        """Step until this height was processed."""
        await self._stepped(lambda: self.scanner.position.height >= height, seconds_max)

    async def final(self, height: int, *, seconds_max: float = 120.0) -> None:
        """Step until this height is final for us."""
        await self._stepped(lambda: self.scanner.position.final_height >= height, seconds_max)

    async def head(self) -> int:
        """Return the head as soon as a node tells."""

        async def look() -> int | None:
            try:
                return (await self.network.reader.tip()).head
            except TROUBLE:
                return None

        return await until(look, "a head")

    async def _stepped(self, done: Callable[[], bool], seconds_max: float) -> None:
        try:
            async with asyncio.timeout(seconds_max):
                while not done():
                    await self.step()
        except TimeoutError as late:
            stands = f"{self.scanner.position}, {self.scanner.waiting}"
            raise Overdue(f"waited {seconds_max:g} s for the scan: {stands}") from late

    async def deposits(self) -> list[Deposit]:
        """Return every deposit, oldest first."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return list(await session.scalars(select(Deposit).order_by(Deposit.id)))

    async def credited(self) -> dict[str, int]:
        """Return the merchant's confirmed units by currency id."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Wallet).where(Wallet.account == MERCHANT)
            return {row.currency_id: int(row.confirmed) for row in await session.scalars(query)}

    async def sum_is_zero(self) -> bool:
        """Tell whether all wallets together are zero in each currency."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = text(
                "SELECT count(*) FROM (SELECT currency_id FROM wallet GROUP BY currency_id "
                "HAVING sum(confirmed + locked) <> 0) AS unequal"
            )
            return bool(await session.scalar(query) == 0)

    async def cursor(self) -> Cursor:
        """Return the row that says how far the scan is."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Cursor, self.scanner.network)


@asynccontextmanager
async def watched(
    chain: LocalChain,
    database: FreshDatabase,
    urls: Sequence[str],
    *,
    addresses: int = 1,
    hysteresis_s: float = 0.0,
    quorum_above: str | None = None,
    haste: int = 1,
    **changes: Any,
) -> AsyncIterator[Watched]:
    """Start at the chain's head. `changes` are keys of the network's configuration.

    With `quorum_above` every larger deposit, in whole units, has to be shown by a second node.
    With `haste` nodes come back from the bench that many times sooner, and what was held back is
    looked at again all the more often.
    """
    network = eyes(chain, urls, haste=haste, **changes)
    configured = settings(chain, urls, quorum_above=quorum_above, **changes)
    owned = [await chain.fresh_address() for _ in range(addresses)]
    owner = Database(database.url("owner"), pool_size=2)
    watcher = Database(database.url("watcher"), pool_size=4)
    scanner = None
    try:
        async with owner.unit_of_work(CROSS_TENANT) as session:
            for statement in _rows(chain, owned):
                await session.execute(statement)
        start = await _start(network)
        async with watcher.unit_of_work(CROSS_TENANT) as session:
            await store.create_cursor(session, chain.family, start, now())
        async with watcher.unit_of_work(CROSS_TENANT) as session:
            position = await store.take_lease(session, chain.family, "test")
            assert position is not None
            listed = await store.currencies_of(session, chain.family)
            book = AddressBook(PUBLIC_KEY)
            await book.load(session, chain.family)
        scanner = Scanner(
            network.reader,
            watcher,
            listed,
            book,
            position,
            PUBLIC_URL,
            dense=network.dense,
            switches=lambda: network.endpoints.switches,
            witnesses=network.witnesses,
            quorum=configured.witnesses_needed,
            quorum_above=large_units(configured, listed),
            hysteresis=Hysteresis(seconds=hysteresis_s),
        )
        scanner.final_lane.evidence.retry_seconds /= haste**2
        yield Watched(chain, network, scanner, watcher, owner, owned)
    finally:
        if scanner is not None:
            await scanner.aclose()
        await network.reader.aclose()
        await watcher.aclose()
        await owner.aclose()


async def _start(network: Chain) -> Any:
    """Return the newest final block, however often the nodes stumble."""

    async def look() -> Any:
        try:
            return (await network.reader.read((await network.reader.tip()).final)).ref
        except TROUBLE:
            return None

    return await until(look, "a final block to begin with")


def _rows(chain: LocalChain, addresses: Sequence[str]) -> Any:
    moment = datetime.now(UTC)
    yield insert(Network).values(
        id=chain.family, family=chain.family, display_name=chain.family,
        identity=chain.identity, test=True, local=True, enabled=True,
    )  # fmt: skip
    listed = currencies(chain)
    for each in listed:
        yield insert(type(each)).values(
            **{column.name: getattr(each, column.name) for column in each.__table__.columns}
        )
    yield insert(Merchant).values(
        id=MERCHANT, name="Shop", status="active", invoice_expiry_minutes=60,
        monitoring_days=7, tolerance_basis_points=50, created_at=moment,
    )  # fmt: skip
    for index, address in enumerate(addresses):
        yield from _invoice(chain.family, index, address, [each.id for each in listed], moment)


def _invoice(
    network: str, index: int, address: str, listed: Sequence[str], moment: datetime
) -> Any:
    invoice = f"inv_{index}"
    yield insert(Invoice).values(
        id=invoice, merchant_id=MERCHANT, livemode=False, metadata_={}, amount=Decimal(1),
        currency="USD", tolerance_basis_points=50, status="pending", exception="none",
        final=False, created_at=moment, expires_at=moment + timedelta(hours=1),
        monitoring_until=moment + timedelta(days=7),
    )  # fmt: skip
    for currency_id in listed:
        yield insert(PaymentOption).values(
            invoice_id=invoice, currency_id=currency_id, merchant_id=MERCHANT,
            network_id=network, amount_units=DUE_UNITS, rate=Decimal(1), rate_source="test",
            rate_at=moment, address=address, address_index=index, address_path="m",
            address_signature=b"-", activated_at=moment,
        )  # fmt: skip
    path = f"m/44'/0'/0'/0/{index}"
    yield insert(AddressPool).values(
        network_id=network, index=index, path=path, address=address,
        signature=POOL_KEY.sign(pool_message(network, index, path, address)),
        created_at=moment, invoice_id=invoice, status="ASSIGNED", merchant_id=MERCHANT,
    )  # fmt: skip
