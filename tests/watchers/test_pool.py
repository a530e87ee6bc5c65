"""The address pool is refilled by the keystore, and watched before anybody can be shown it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, select

from gateway.db import CROSS_TENANT
from gateway.models import AddressPool, FreeAddress
from gateway.settings import AssetSettings, NetworkSettings
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.keystore.house import House, build, init, serving
from tests.watchers.world import NETWORK, world
from watchers.pool import Pool
from watchers.store import LeaseLost

pytestmark = pytest.mark.anyio
BATCH = 4
SETTINGS = NetworkSettings(
    family="ethereum", display_name="Ethereum", identity="31337", test=True,
    rpc_urls=["http://127.0.0.1:1"], assets=[AssetSettings(code="ETH", decimals=18)],
    pool_low_water=3, pool_batch=BATCH,
)  # fmt: skip


@pytest.fixture(scope="module")
def keystore_house() -> Iterator[House]:
    """One keystore process for the module."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder))
        init(house)
        with serving(house):
            yield house


async def test_new_addresses_are_in_the_book_before_their_rows_are_written(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A payer may be quicker than our next block; below the mark a whole batch is derived."""
    async with world(database) as w, KeystoreClient(keystore_house.socket) as keystore:
        await keystore.derive_pool(NETWORK, 0, 2, issue=True)  # the two rows that stand already
        book = w.scanner.book
        pool = Pool(NETWORK, SETTINGS, w.database, keystore, book, w.scanner.position)
        known: list[bool] = []

        def inserting(*arguments: Any) -> None:
            statement, parameters = arguments[2], arguments[3]
            if "INSERT INTO address_pool" in statement:
                texts = {t for t in _texts(parameters) if t.startswith("0x")}
                known.append(bool(texts) and book.pool.perhaps(texts) == texts)

        event.listen(w.database.engine.sync_engine, "before_cursor_execute", inserting)
        assert await pool.round() == BATCH
        assert await pool.round() == 0
        assert known
        assert all(known)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            rows = set(await session.scalars(select(AddressPool.address)))
            free = (await session.scalars(select(FreeAddress.address_id))).all()
        assert book.pool.perhaps(rows) == rows
        assert len(free) == BATCH + 1


async def test_who_lost_the_lease_adds_no_addresses(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Rows come one transaction after the other: the book's watermark rests on that."""
    async with world(database) as w, KeystoreClient(keystore_house.socket) as keystore:
        await keystore.derive_pool(NETWORK, 0, 2, issue=True)  # the two rows that stand already
        old = w.scanner
        pool = Pool(NETWORK, SETTINGS, w.database, keystore, old.book, old.position)
        await w.restart()
        with pytest.raises(LeaseLost):
            await pool.round()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            assert len((await session.scalars(select(AddressPool.id))).all()) == 2


def _texts(parameters: Any) -> Iterator[str]:
    if isinstance(parameters, str):
        yield parameters
    elif isinstance(parameters, dict):
        yield from _texts(list(parameters.values()))
    elif isinstance(parameters, list | tuple):
        for each in parameters:
            yield from _texts(each)


async def test_issued_addresses_that_the_database_forgot_are_watched_and_never_given_again(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Put back to an older copy: their payers pay the forgotten invoices, not the next ones."""
    async with world(database) as w, KeystoreClient(keystore_house.socket) as keystore:
        await keystore.derive_pool(NETWORK, 0, 2, issue=True)  # the two rows that stand already
        book = w.scanner.book
        pool = Pool(NETWORK, SETTINGS, w.database, keystore, book, w.scanner.position)
        await pool.recover()
        await pool.round()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            forgotten = await session.scalar(
                select(AddressPool).order_by(AddressPool.index.desc()).limit(1)
            )
            assert forgotten is not None
            await session.execute(delete(FreeAddress))
            await session.execute(delete(AddressPool).where(AddressPool.index >= 2))
        await pool.recover()
        await pool.round()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            rows = {row.address: row for row in await session.scalars(select(AddressPool))}
            free = set(await session.scalars(select(FreeAddress.address_id)))
        assert rows[forgotten.address].index == forgotten.index
        assert rows[forgotten.address].id not in free
        assert book.pool.perhaps([forgotten.address])
        given = [row.index for row in rows.values() if row.id in free]
        assert sorted(given) == list(range(forgotten.index + 1, forgotten.index + 1 + BATCH))


async def test_looking_at_addresses_issues_none(keystore_house: House) -> None:
    """`keystore pool` and drills ask for rows that nobody is shown."""
    async with KeystoreClient(keystore_house.socket) as keystore:
        before = {each.network: each.issued for each in (await keystore.status()).networks}
        await keystore.derive_pool("tron", 1_000_000, 3)
        after = {each.network: each.issued for each in (await keystore.status()).networks}
        assert after == before
        await keystore.derive_pool("tron", 0, 3, issue=True)
        await keystore.derive_pool("tron", 0, 1, issue=True)
        status = await keystore.status()
        assert {each.network: each.issued for each in status.networks}["tron"] == 3
