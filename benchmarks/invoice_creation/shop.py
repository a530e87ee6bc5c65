"""A shop to measure with: one merchant, one key, one webhook endpoint, priced, with addresses."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from gateway.accounts.service import KeyRequest, create_key
from gateway.addresses.signature import SignedAddress, message
from gateway.catalog.sync import sync_catalog
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import MERCHANT_SCOPES
from gateway.domain.moment import Moment
from gateway.postgres.cluster import running
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.postgres.url import role_url
from gateway.prices.service import record
from gateway.settings import (
    ApiSettings,
    AssetSettings,
    KeystoreSettings,
    NetworkSettings,
    PriceSettings,
    Settings,
)

MERCHANT = "mer_bench"
NETWORK = "ethereum"
METHOD = "ETH-ETHEREUM"
_COPY = "COPY address_pool (network_id, index, path, address, signature, created_at) FROM STDIN"
_FREE = text(
    "INSERT INTO free_address SELECT network_id, id FROM address_pool "
    "WHERE network_id = 'ethereum' AND index >= :first"
)
# The same each time: a kept shop's addresses are genuine to the next process too.
_POOL_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_STAGE = """
INSERT INTO merchant (id, name, created_at) VALUES ('mer_bench', 'Bench', now());
INSERT INTO webhook_endpoint (id, merchant_id, url, api_version, livemode, created_at)
    VALUES ('whe_bench', 'mer_bench', 'https://shop.example/hook', '1', false, now());
INSERT INTO network_health (network_id, head_height, scanned_height, final_height, head_time, updated_at)
    VALUES ('ethereum', 1, 1, 1, now() + interval '1 day', now() + interval '1 day');
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A migrated database with a shop in it, its settings as a file, and the shop's key."""

    settings: Settings
    file: Path
    owner: Database
    key: str


@asynccontextmanager
async def shop() -> AsyncIterator[Shop]:
    """Open a shop on a PostgreSQL of its own for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        async with kept_shop(Path(folder)) as opened:
            yield opened


@asynccontextmanager
async def kept_shop(folder: Path) -> AsyncIterator[Shop]:
    """Open the shop of a folder for the length of a block; make it where there is none."""
    file, key = folder / "settings.json", folder / "key"
    settings = read_settings(file) if key.exists() else _settings(folder)
    if not key.exists():
        create_secrets(settings, secrets.token_urlsafe)
        file.write_bytes(msgspec.json.encode(settings, enc_hook=str))
    with running(settings):
        prepare_server(settings)
        migrate(settings)
        owner = Database(role_url(settings, "owner"), pool_size=2)
        try:
            if not key.exists():
                key.write_text(await _stage(owner, settings))
            yield Shop(settings, file, owner, key.read_text())
        finally:
            await owner.aclose()


def read_settings(file: Path) -> Settings:
    """Read what `shop` wrote."""
    return msgspec.json.decode(
        file.read_bytes(), type=Settings, dec_hook=lambda kind, value: kind(value)
    )


async def add_addresses(owner: Database, first: int, count: int) -> None:
    """Put signed addresses into the pool, as the watcher does with the keystore's rows."""
    at = datetime.now(UTC)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        raw = await (await session.connection()).get_raw_connection()
        driver = cast("psycopg.AsyncConnection[Any]", raw.driver_connection)
        async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            for index in range(first, first + count):
                row = _signed(index)
                await copy.write_row(
                    (row.network, row.index, row.path, row.address, row.signature, at)
                )
        await session.execute(_FREE, {"first": first})
    await tidied(owner)


async def tidied(owner: Database) -> None:
    """Do at once what PostgreSQL does by itself within a minute: what it plans by is true again."""
    async with owner.engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("VACUUM ANALYZE"))


def _signed(index: int) -> SignedAddress:
    row = SignedAddress(
        NETWORK, index, f"m/44'/60'/0'/0/{index}", "0x" + os.urandom(20).hex(), b""
    )
    return replace(row, signature=_POOL_KEY.sign(message(row)))


async def _stage(owner: Database, settings: Settings) -> str:
    moment = Moment(datetime.now(UTC), secrets.token_bytes)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await sync_catalog(session, settings)
        for statement in _STAGE.split(";")[:-1]:
            await session.execute(text(statement))
        # A moment ahead, so that the price stays young for as long as the benchmark runs.
        ahead = replace(moment, at=moment.at + timedelta(seconds=1))
        await record(session, {"ETH": Decimal(2500)}, source="static", moment=ahead)
        request = KeyRequest("bench", sorted(MERCHANT_SCOPES), False, MERCHANT)  # noqa: FBT003
        document = await create_key(
            session, request, settings.secret("api.key_pepper_file"), moment
        )
    assert document.key is not None
    return document.key


def _settings(folder: Path) -> Settings:
    network = NetworkSettings(
        family="ethereum",
        display_name="Ethereum",
        identity="31337",
        rpc_urls=["http://127.0.0.1:1"],
        test=True,
        local=True,
        lag_seconds_max=2**30,
        assets=[AssetSettings(code="ETH", decimals=18)],
    )
    public = _POOL_KEY.public_key().public_bytes_raw().hex()
    return Settings(
        networks={NETWORK: network},
        data_dir=folder,
        api=ApiSettings(requests_per_minute=0),
        prices=PriceSettings(max_age_seconds=2**30),
        keystore=KeystoreSettings(pool_public_key=public),
    )
