"""Filling the address pool beside bip-utils alone: derive, sign, send, insert, against derive.

The watcher's own code asks a real keystore over its socket and inserts the signed rows into a real
PostgreSQL; the limit is bip-utils deriving as many addresses from a seed it holds, the nodes above
them computed once. Both take turns; the ratio of the medians is what counts.
Run: `.venv/bin/python -m benchmarks.pool_generation`.
"""

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bip_utils import Bip44, Bip44Changes, Bip44Coins
from sqlalchemy import text

from benchmarks.signing import serving
from benchmarks.timing import table
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT, Database
from gateway.postgres.cluster import running
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.postgres.url import role_url
from gateway.settings import AssetSettings, NetworkSettings, Settings
from keystore.api import Family
from keystore.client import KeystoreClient
from watchers import clock, store
from watchers.addresses import AddressBook
from watchers.network import BlockRef
from watchers.pool import Pool

ROUNDS, COUNT = 7, 500
RATIO_LIMIT = 0.3
FAMILIES: dict[Family, Bip44Coins] = {
    "ethereum": Bip44Coins.ETHEREUM,
    "tron": Bip44Coins.TRON,
    "solana": Bip44Coins.SOLANA,
}
_NETWORK = text("""
INSERT INTO network (id, family, display_name, identity, test, local, enabled)
VALUES (:name, :name, :name, :name, true, true, true)
""")
_ROWS = text("SELECT count(*) FROM address_pool WHERE network_id = :name")


def main() -> None:
    """Start keystore and database, measure, print."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        home = Path(folder) / "keystore"
        home.mkdir(mode=0o700)
        settings = Settings(networks={}, data_dir=Path(folder) / "gateway")
        settings.data_dir.mkdir()
        create_secrets(settings, secrets.token_urlsafe)
        with running(settings), serving(home):
            prepare_server(settings)
            migrate(settings)
            found = asyncio.run(_measured(settings, home / "run" / "k.sock"))
    rows = [
        [name, f"{alone:.0f}", f"{filled:.0f}", f"{filled / alone:.2f}", f"{RATIO_LIMIT}"]
        for name, (alone, filled) in found.items()
    ]
    columns = ["family", "bip-utils alone", "pool, rows inserted", "ratio", "limit"]
    table(f"Pool generation: addresses a second, batches of {COUNT}", columns, rows)


async def _measured(settings: Settings, socket: Path) -> dict[str, tuple[float, float]]:
    owner = Database(role_url(settings, "owner"), pool_size=1)
    watcher = Database(role_url(settings, "watcher"), pool_size=2)
    try:
        async with KeystoreClient(socket) as keystore:
            return {name: await _in_turns(name, owner, watcher, keystore) for name in FAMILIES}
    finally:
        await watcher.aclose()
        await owner.aclose()


async def _in_turns(
    name: Family, owner: Database, watcher: Database, keystore: KeystoreClient
) -> tuple[float, float]:
    """Return addresses a second of both: the median round of each."""
    taken: tuple[list[float], list[float]] = ([], [])
    async with _filling(name, owner, watcher, keystore) as pool:
        for number in range(ROUNDS + 1):
            begun = time.perf_counter()
            _alone(name, number * COUNT)
            between = time.perf_counter()
            assert await pool.round() == COUNT
            if number:
                taken[0].append(between - begun)
                taken[1].append(time.perf_counter() - between)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        assert await session.scalar(_ROWS, {"name": name}) == (ROUNDS + 1) * COUNT
    alone, filled = (COUNT / statistics.median(seconds) for seconds in taken)
    return alone, filled


@asynccontextmanager
async def _filling(
    name: Family, owner: Database, watcher: Database, keystore: KeystoreClient
) -> AsyncIterator[Pool]:
    """Yield a watcher's pool that never has enough, under the network's lease."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(_NETWORK, {"name": name})
    moment = clock.now()
    async with watcher.unit_of_work(CROSS_TENANT) as session:
        await store.create_cursor(session, name, BlockRef(0, "0x0", "", moment.at), moment)
    async with watcher.unit_of_work(CROSS_TENANT) as session:
        position = await store.take_lease(session, name, "benchmark")
    assert position is not None
    settings = NetworkSettings(
        family=name, display_name=name, identity=name, test=True,
        rpc_urls=["http://127.0.0.1:1"], assets=[AssetSettings(code="COIN", decimals=9)],
        pool_low_water=10**6, pool_batch=COUNT,
    )  # fmt: skip
    key = (await keystore.status()).pool_public_key
    yield Pool(name, settings, watcher, keystore, AddressBook(key), position)


def _alone(name: Family, first: int) -> list[str]:
    """Derive with bip-utils and nothing else, as it documents it."""
    coin = Bip44.FromSeed(b"seed of the benchmark".ljust(64), FAMILIES[name]).Purpose().Coin()
    places = range(first, first + COUNT)
    if name == "solana":
        nodes = (coin.Account(place).Change(Bip44Changes.CHAIN_EXT) for place in places)
    else:
        parent = coin.Account(0).Change(Bip44Changes.CHAIN_EXT)
        nodes = (parent.AddressIndex(place) for place in places)
    return [str(node.PublicKey().ToAddress()) for node in nodes]


if __name__ == "__main__":
    main()
