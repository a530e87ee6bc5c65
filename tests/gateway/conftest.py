"""The real API as gw_api on a real database, called in process, and the things a test sets up."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Self

import httpx
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.service import KeyRequest, create_key
from gateway.app import Api, create_api
from gateway.catalog.sync import sync_catalog
from gateway.db import Database
from gateway.domain.actor import MERCHANT_SCOPES, OPERATOR_SCOPES
from gateway.domain.moment import Moment
from gateway.models import AddressPool, FreeAddress, NetworkHealth
from gateway.prices.service import record as record_prices
from gateway.settings import AssetSettings, NetworkSettings, Settings
from tests.conftest import FreshDatabase

ETHEREUM = NetworkSettings(
    family="ethereum",
    display_name="Ethereum (local)",
    identity="31337",
    rpc_urls=["http://127.0.0.1:1"],
    test=True,
    local=True,
    assets=[
        AssetSettings(code="ETH", decimals=18, minimum_deposit="0.001"),
        AssetSettings(
            code="USDC",
            decimals=6,
            contract="0x5FbDB2315678afecb367f032d93F642f64180aa3",
            withdrawal_fee="1",
            automatic_approval_below="10",
        ),
    ],
)
PRICES = {"ETH": Decimal(2500), "USDC": Decimal(1)}


@dataclass
class Clock:
    """A clock that a test turns by hand, with seeded randomness."""

    at: datetime = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
    random: Random = field(default_factory=lambda: Random(7))

    def __call__(self) -> Moment:
        """Return this moment; ids of one moment still differ."""
        self.at += timedelta(milliseconds=1)
        return Moment(self.at, self.random.randbytes)


@dataclass
class TestApi:
    """The application with a client, and ways to set the stage as gw_owner."""

    __test__ = False

    api: Api
    client: httpx.AsyncClient
    settings: Settings
    database: Database
    """As gw_api."""
    owner: Database
    """As gw_owner, over every tenant."""
    clock: Clock

    @asynccontextmanager
    async def beside(self, settings: Settings) -> AsyncIterator[Self]:
        """Serve the same database once more, under other settings."""
        made = create_api(settings, self.database, self.clock)
        async with client_of(made) as client:
            yield replace(self, api=made, client=client, settings=settings)

    async def key(
        self,
        merchant_id: str | None,
        scopes: Sequence[str] = (),
        *,
        livemode: bool = False,
        allowed_ips: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key and return its secret; without scopes it has all there are."""
        every = OPERATOR_SCOPES if merchant_id is None else MERCHANT_SCOPES
        request = KeyRequest(
            name="test",
            scopes=sorted(scopes or every),
            livemode=livemode,
            merchant_id=merchant_id,
            allowed_ips=list(allowed_ips),
            expires_at=expires_at,
        )
        pepper = self.settings.secret("api.key_pepper_file")
        async with self.owner.unit_of_work(None) as session:
            document = await create_key(session, request, pepper, self.clock())
        assert document.key is not None
        return document.key

    async def merchant(self, name: str = "Shop") -> str:
        """Open a merchant's account through the API and return its id."""
        operator = await self.key(None, livemode=True)
        answer = await self.call("POST", "/v1/merchants", operator, json={"name": name})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def merchant_and_key(self, *scopes: str) -> tuple[str, str]:
        """Open an account and return its id and a test key with these scopes (default: all)."""
        merchant_id = await self.merchant()
        return merchant_id, await self.key(merchant_id, scopes)

    async def call(
        self,
        method: str,
        path: str,
        key: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """Send one request, with `key` as bearer if there is one."""
        bearer = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await self.client.request(
            method, path, headers={**bearer, **(headers or {})}, **arguments
        )

    async def prices(self, prices: dict[str, Decimal] | None = None) -> None:
        """Record prices in US dollars as of now."""
        async with self.owner.unit_of_work(None) as session:
            await record_prices(
                session,
                PRICES if prices is None else prices,
                source="test",
                moment=self.clock(),
            )

    async def healthy(self, network: str = "ethereum", **changes: Any) -> None:
        """Publish that the network's watcher is at the head."""
        at = self.clock().at
        row: dict[str, Any] = {
            "network_id": network, "head_height": 100, "scanned_height": 100,
            "final_height": 96, "head_time": at, "trouble": None, "updated_at": at,
        }  # fmt: skip
        async with self.owner.unit_of_work(None) as session:
            await session.merge(NetworkHealth(**{**row, **changes}))

    async def pool(self, count: int, network: str = "ethereum", first: int = 0) -> None:
        """Put addresses into the pool, with signatures that are only bytes."""
        at = self.clock().at
        rows = [
            AddressPool(
                network_id=network,
                index=index,
                path=f"m/44'/60'/0'/0/{index}",
                address=f"0x{index:040x}",
                signature=bytes(64),
                status="AVAILABLE",
                merchant_id=None,
                invoice_id=None,
                created_at=at,
                assigned_at=None,
            )
            for index in range(first, first + count)
        ]
        async with self.owner.unit_of_work(None) as session:
            session.add_all(rows)
            await session.flush()
            session.add_all(FreeAddress(network_id=network, address_id=row.id) for row in rows)

    async def ready_to_sell(self) -> None:
        """Make every payment method available: prices, a healthy watcher, a filled pool."""
        await self.prices()
        await self.healthy()
        await self.pool(20)

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Read as gw_owner, over every tenant."""
        async with self.owner.unit_of_work(None) as session:
            return list((await session.execute(text(statement), values)).all())


@pytest.fixture
async def api(database: FreshDatabase) -> AsyncIterator[TestApi]:
    """Serve the real application on a fresh database of the test's own."""
    async with serving(database) as served:
        yield served


def client_of(made: Api) -> httpx.AsyncClient:
    """Call the application in process; what it raises becomes an answer, as outside."""
    transport = httpx.ASGITransport(made.asgi, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


@asynccontextmanager
async def serving(database: FreshDatabase) -> AsyncIterator[TestApi]:
    """Serve the real application on a database with one test network, ETH and USDC."""
    settings = msgspec.structs.replace(database.settings, networks={"ethereum": ETHEREUM})
    clock = Clock()
    async with (
        aclosing(Database(database.url("api"), pool_size=8)) as as_api,
        aclosing(Database(database.url("owner"), pool_size=2)) as as_owner,
    ):
        async with as_owner.unit_of_work(None) as session:
            await sync_catalog(session, settings)
        made = create_api(settings, as_api, clock)
        async with client_of(made) as client:
            yield TestApi(made, client, settings, as_api, as_owner, clock)


async def count(session: AsyncSession, table: str) -> int:
    """Return how many rows of a table this session's role and tenant can see."""
    return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
