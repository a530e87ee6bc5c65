"""A gateway that is open for business: three test networks and a live one, signed addresses.

The pool is signed with a key of the tests, as the keystore would; payments come in through the
services that the watchers call, as gw_watcher.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from gateway.addresses.signature import SignedAddress, message
from gateway.app import create_api
from gateway.catalog.sync import sync_catalog
from gateway.db import CROSS_TENANT, Database
from gateway.deposits.service import Arrival, Desk, confirm, record
from gateway.domain import base58, posting
from gateway.domain.addresses import canonical
from gateway.invoices.standing import NO_HEADS
from gateway.ledger.service import post
from gateway.models import AddressPool, Currency, FreeAddress
from gateway.settings import AssetSettings, KeystoreSettings, NetworkSettings
from tests.conftest import FreshDatabase
from tests.gateway.conftest import ETHEREUM, Clock, TestApi, client_of

POOL_KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"the tests' pool key").digest())
POOL_PUBLIC_KEY = POOL_KEY.public_key().public_bytes_raw().hex()

_LOCAL: dict[str, Any] = {"rpc_urls": ["http://127.0.0.1:1"], "test": True, "local": True}
NETWORKS = {
    "ethereum": ETHEREUM,
    "tron": NetworkSettings(
        family="tron",
        display_name="TRON",
        identity="00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc",
        assets=[
            AssetSettings(code="TRX", decimals=6),
            AssetSettings(
                code="USDT", decimals=6, contract="TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
            ),
        ],
        **_LOCAL,
    ),
    "solana": NetworkSettings(
        family="solana",
        display_name="Solana",
        identity="5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
        assets=[AssetSettings(code="SOL", decimals=9)],
        **_LOCAL,
    ),
    "mainnet": NetworkSettings(
        family="ethereum",
        display_name="Ethereum",
        identity="1",
        rpc_urls=["http://127.0.0.1:1"],
        assets=[AssetSettings(code="ETH", decimals=18)],
    ),
}
PRICES = {
    "ETH": Decimal(2500),
    "USDC": Decimal(1),
    "USDT": Decimal(1),
    "TRX": Decimal("0.25"),
    "SOL": Decimal(200),
    "EUR": Decimal("1.25"),
}
ALL_TEST_METHODS = [
    "ETH-ETHEREUM",
    "SOL-SOLANA",
    "TRX-TRON",
    "USDC-ETHEREUM",
    "USDT-TRON",
]


def pool_address(family: str, index: int) -> str:
    """Return a valid stored address that nobody else makes."""
    digest = sha256(f"{family} {index}".encode()).digest()
    if family == "ethereum":
        return "0x" + digest[:20].hex()
    return (
        canonical("tron", "41" + digest[:20].hex())
        if family == "tron"
        else (base58.encode(digest))
    )


@dataclass
class Shop(TestApi):
    """The application with everything that a merchant needs."""

    watcher: Database
    """As gw_watcher."""

    async def open(self) -> None:
        """Make every method of every network available."""
        await self.prices(PRICES)
        for name in NETWORKS:
            await self.healthy(name)
            await self.stock(name, 20)

    async def stock(self, network: str, count: int, first: int = 0) -> None:
        """Put signed addresses into the pool of a network."""
        family = NETWORKS[network].family
        rows = []
        for index in range(first, first + count):
            row = SignedAddress(network, index, f"m/{index}", pool_address(family, index), b"")
            rows.append(
                AddressPool(
                    network_id=network,
                    index=row.index,
                    path=row.path,
                    address=row.address,
                    signature=POOL_KEY.sign(message(row)),
                    status="AVAILABLE",
                    merchant_id=None,
                    invoice_id=None,
                    created_at=self.clock().at,
                    assigned_at=None,
                )
            )
        async with self.owner.unit_of_work(None) as session:
            session.add_all(rows)
            await session.flush()
            session.add_all(FreeAddress(network_id=network, address_id=r.id) for r in rows)

    async def run(self, statement: str, **values: Any) -> None:
        """Do something to the database behind everybody's back, as gw_owner."""
        await self.rows(statement + " RETURNING 1", **values)

    async def live_key(self, key: str) -> str:
        """Return a live key of this key's merchant: the one that changes what both modes share."""
        shown = await self.call("GET", "/v1/merchant", key)
        assert shown.status_code == 200, shown.text
        return await self.key(shown.json()["id"], livemode=True)

    async def invoice(self, key: str, **fields: Any) -> dict[str, Any]:
        """Create an invoice over 49.90 USD and return its document."""
        body = {"amount": "49.90", "currency": "USD", **fields}
        answer = await self.call("POST", "/v1/invoices", key, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def pay(
        self,
        address: str,
        method: str,
        units: int,
        *,
        tx: str = "0xfeed",
        final: bool = False,
        block_time: datetime | None = None,
    ) -> None:
        """Let a payment arrive at a shown address, in block 101, and become final if wanted."""
        network = method.partition("-")[2].lower()
        stored = canonical(NETWORKS[network].family, address)
        moment = self.clock()
        async with self.watcher.unit_of_work(CROSS_TENANT) as session:
            query = select(AddressPool).where(
                AddressPool.network_id == network, AddressPool.address == stored
            )
            desk = Desk(session, moment, self.settings.api.public_url)
            arrival = Arrival(
                network_id=network,
                tx_hash=tx,
                kind="native",
                ordinal=0,
                currency=await session.get_one(Currency, method),
                sender=pool_address(NETWORKS[network].family, 999),
                address=stored,
                units=units,
                pool=(await session.scalars(query)).one(),
                genuine=True,
                capital=False,
                block_height=101,
                block_hash="0xb10c",
                block_time=block_time or moment.at,
            )
            await record(desk, [arrival], NO_HEADS)
            if final:
                await confirm(desk, network, 101, NO_HEADS)

    async def fund(self, merchant_id: str, currency_id: str, units: int) -> None:
        """Give a merchant a confirmed balance."""
        entry = posting.deposit(f"fund:{self.clock().id('x')}", merchant_id, currency_id, units)
        async with self.watcher.unit_of_work(CROSS_TENANT) as session:
            await post(session, entry, self.clock())

    def at(self) -> datetime:
        """Return the time without moving it."""
        return self.clock.at


@pytest.fixture
async def shop(database: FreshDatabase) -> AsyncIterator[Shop]:
    """Open the shop for one test."""
    async with opened(database) as made_shop:
        yield made_shop


@asynccontextmanager
async def opened(database: FreshDatabase) -> AsyncIterator[Shop]:
    """Open the shop on a fresh database."""
    settings = msgspec.structs.replace(
        database.settings,
        networks=NETWORKS,
        keystore=KeystoreSettings(pool_public_key=POOL_PUBLIC_KEY),
    )
    clock = Clock()
    async with (
        aclosing(Database(database.url("api"), pool_size=8)) as as_api,
        aclosing(Database(database.url("owner"), pool_size=2)) as as_owner,
        aclosing(Database(database.url("watcher"), pool_size=2)) as as_watcher,
    ):
        async with as_owner.unit_of_work(None) as session:
            await sync_catalog(session, settings)
        made = create_api(settings, as_api, clock)
        async with client_of(made) as client:
            made_shop = Shop(made, client, settings, as_api, as_owner, clock, as_watcher)
            await made_shop.open()
            yield made_shop
