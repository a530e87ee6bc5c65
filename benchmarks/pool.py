"""A pool of ten million addresses: memory beside a pool of a thousand, load time, match.

The pools are rows of one real PostgreSQL, and every figure of memory is the resident size of a
whole watcher process with its family's imports. The match is a block of 3,000 recipients of
which one in a hundred is ours: keys and one look-up of the survivors, against `= ANY` of all.
Run: `.venv/bin/python -m benchmarks.pool [ADDRESSES]`.
"""

import asyncio
import gc
import multiprocessing
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, text

from benchmarks.timing import console, table
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT, Database
from gateway.postgres.cluster import running
from gateway.postgres.connect import connected
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.postgres.url import role_url
from gateway.settings import Settings
from watchers.addresses import AddressBook
from watchers.network import NATIVE, Block, BlockRef, Transfer

SMALL, USUAL, LARGE = 1_000, 100_000, 10_000_000
CANDIDATES, OURS = 3_000, 30
ROUNDS = 15
MEMORY_LIMIT_MIB, USUAL_LIMIT_MIB = 200, 150
RATIO_LIMIT = 0.2
STEP = 500_000

_NETWORK = text("""
INSERT INTO network (id, family, display_name, identity, test, local, enabled)
VALUES (:network, 'ethereum', :network, '1', true, true, true)
""")
_DROP = text("""
ALTER TABLE address_pool DROP CONSTRAINT address_pool_network_id_address_key,
    DROP CONSTRAINT address_pool_network_id_index_key
""")
_ROWS = text("""
INSERT INTO address_pool (network_id, index, path, address, signature, status, created_at)
SELECT :network, n, 'm/44''/60''/0''/0/' || n, '0x' || md5(n::text) || '00c0ffee',
       decode(repeat('00', 64), 'hex'), 'AVAILABLE', now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n
""")
_ADD = text("""
ALTER TABLE address_pool
    ADD CONSTRAINT address_pool_network_id_address_key UNIQUE (network_id, address),
    ADD CONSTRAINT address_pool_network_id_index_key UNIQUE (network_id, index)
""")
_ANY = text("""
SELECT address FROM address_pool WHERE network_id = :network AND address = ANY(:addresses)
""")
_SAMPLE = text("SELECT address FROM address_pool WHERE network_id = 'large' AND index < :ours")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one process measured: MiB before and after, seconds to load, seconds per match."""

    imports_mib: int
    mib: int
    load_seconds: float
    keys_seconds: float = 0.0
    ours_seconds: float = 0.0
    any_seconds: float = 0.0


def main(large: int = LARGE) -> None:
    """Fill the pools, measure each in a process of its own, print."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        settings = Settings(networks={}, data_dir=Path(folder))
        create_secrets(settings, secrets.token_urlsafe)
        with running(settings):
            prepare_server(settings)
            migrate(settings)
            pools = {"small": SMALL, "usual": USUAL, "large": large}
            _fill(settings, pools)
            url = role_url(settings, "watcher")
            small, usual, big = (_alone(url, network) for network in pools)
    _print(large, small, usual, big)


def _fill(settings: Settings, pools: dict[str, int]) -> None:
    """Write the rows first and their indexes afterwards."""
    begun = time.perf_counter()
    with connected(settings, "admin", autocommit=True) as admin:
        admin.execute(text("SET session_replication_role = replica"))
        admin.execute(text("SET synchronous_commit = off"))
        admin.execute(text("SET maintenance_work_mem = '512MB'"))
        admin.execute(_DROP)
        for network, count in pools.items():
            admin.execute(_NETWORK, {"network": network})
            for first in range(0, count, STEP):
                last = min(first + STEP, count) - 1
                admin.execute(_ROWS, {"network": network, "first": first, "last": last})
                console.print(f"pool {network}: {last + 1:,} of {count:,} rows", end="\r")
        admin.execute(_ADD)
        admin.execute(text("VACUUM ANALYZE address_pool"))
    console.print(f"pools filled and indexed in {time.perf_counter() - begun:.0f} s".ljust(60))


def _alone(url: URL, network: str) -> Loaded:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_process, (url, network))


def _process(url: URL, network: str) -> Loaded:
    import watchers.commands.run  # noqa: PLC0415 - what a watcher loads
    import watchers.networks.solana.connect  # noqa: F401, PLC0415 - the largest family

    return asyncio.run(_measure(url, network))


async def _measure(url: URL, network: str) -> Loaded:
    database = Database(url, pool_size=2)
    book = AddressBook("")
    try:
        async with database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("SELECT 1"))
            imports = _resident_mib()
            begun = time.perf_counter()
            await book.load(session, network)
            loaded = Loaded(imports, _resident_mib(), time.perf_counter() - begun)
        return loaded if network != "large" else await _matched(database, book, loaded)
    finally:
        await database.aclose()


async def _matched(database: Database, book: AddressBook, loaded: Loaded) -> Loaded:
    """Time both ways in turns, each on texts that were never hashed before."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        ours = list(await session.scalars(_SAMPLE, {"ours": OURS}))
        strangers = [f"0x{secrets.token_hex(20)}" for _ in range(CANDIDATES - OURS)]

        async def ask(addresses: list[str]) -> set[str]:
            arguments = {"network": "large", "addresses": addresses}
            return set(await session.scalars(_ANY, arguments))

        async def keys() -> set[str]:
            return {hit.recipient for hit in book.hits(block, frozenset())}

        async def match() -> set[str]:
            return await ask(sorted(await keys()))

        async def everything() -> set[str]:
            return await ask([each.recipient for each in block.transfers])

        ways: tuple[Callable[[], Awaitable[set[str]]], ...] = (keys, match, everything)
        taken: list[list[float]] = [[] for _ in ways]
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            for way, seconds in zip(ways, taken, strict=True):
                block = _block(ours + strangers)
                begun = time.perf_counter()
                found = await way()
                seconds.append(time.perf_counter() - begun)
                assert found >= set(ours)
                assert way is keys or found == set(ours), "both ways must find the same"
    medians = (statistics.median(seconds) for seconds in taken)
    return Loaded(loaded.imports_mib, loaded.mib, loaded.load_seconds, *medians)


def _block(recipients: list[str]) -> Block:
    ref = BlockRef(1, "0x1", "0x0", datetime.now(UTC))
    return Block(
        ref,
        tuple(
            Transfer(f"0x{number:x}", "native", 0, NATIVE, "", address.encode().decode(), 1)
            for number, address in enumerate(recipients)
        ),
    )


def _print(large: int, small: Loaded, usual: Loaded, big: Loaded) -> None:
    more, ratio = big.mib - small.mib, big.ours_seconds / big.any_seconds
    table(
        f"Watcher memory and load (pool of {large:,} beside {SMALL:,})",
        ["", "MiB", "load s", "limit"],
        [
            ["imports alone", str(small.imports_mib), "", ""],
            [f"pool of {SMALL:,}", str(small.mib), f"{small.load_seconds:.2f}", ""],
            [
                f"pool of {USUAL:,}",
                str(usual.mib),
                f"{usual.load_seconds:.2f}",
                f"{USUAL_LIMIT_MIB} MiB",
            ],
            [f"pool of {large:,}", str(big.mib), f"{big.load_seconds:.1f}", ""],
            ["largest less smallest", str(more), "", f"{MEMORY_LIMIT_MIB} MiB"],
        ],
    )
    table(
        f"Match of {CANDIDATES:,} candidates, {OURS} of them ours",
        ["", "ms", "ratio", "limit"],
        [
            ["PostgreSQL = ANY (all)", f"{big.any_seconds * 1e3:.1f}", "1", ""],
            ["keys, survivors by = ANY", f"{big.ours_seconds * 1e3:.1f}", f"{ratio:.2f}", f"{RATIO_LIMIT}"],
            ["keys alone", f"{big.keys_seconds * 1e3:.1f}", f"{big.keys_seconds / big.any_seconds:.2f}", ""],
        ],
    )  # fmt: skip


def _resident_mib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    [size] = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(size) // 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LARGE)
