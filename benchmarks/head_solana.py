"""What a Solana watcher at the head costs, fed a block every 0.4 seconds, commits included.

Node, watcher and PostgreSQL are processes of their own. The watcher is the real one's scanner
over its real reader: HTTP, gzip, decoding, linking, matching 100,000 addresses, strays, commits.
Counted is the processor time of its process over the time that passed; beside it that of
PostgreSQL, and the limits: what it takes only to fetch and unpack the same blocks, and to parse
them too. Run: `.venv/bin/python -m benchmarks.head_solana`.
"""

import asyncio
import json
import multiprocessing
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psutil
import uvloop
from sqlalchemy import insert

from benchmarks.solana_blocks import answers, recorded
from benchmarks.solana_feed import FIRST_SLOT, GENESIS, SLOTS_PER_SECOND, serve
from benchmarks.timing import console, table
from gateway import logs
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT, Database
from gateway.models import Currency, Network
from gateway.postgres.cluster import running
from gateway.postgres.connect import connected
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import ensure_database, prepare_server
from gateway.postgres.url import EMBEDDED_DATABASE, role_url
from gateway.settings import NetworkSettings, Settings
from watchers import garbage, store
from watchers.addresses import AddressBook
from watchers.clock import now
from watchers.families import connect
from watchers.networks.solana.accounts import TOKEN_PROGRAM
from watchers.scan.scanner import Scanner

SECONDS_WARM, SECONDS = 4.0, 16.0
GOAL_PERCENT = 6
NETWORK = "solana"
POOL, SEED = 100_000, 17
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
MINTS = {
    "USDC": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    "USDT": "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB",
}
BLOCKS = ("testnet 119613633, accounts", "mainnet mix, accounts", "testnet 119613633, full")


def network(url: str) -> NetworkSettings:
    """Return the network's section, every choice at its default."""
    return NetworkSettings(
        family="solana", display_name="Solana", identity=GENESIS, rpc_urls=[url], assets=[],
        test=True, local=True,
    )  # fmt: skip


def main() -> None:
    """Print one table; say so where the recorded blocks are absent."""
    if not recorded():
        console.print("head solana: the recorded blocks are not here, skipped")
        return
    blocks = answers()
    rows = []
    with _prepared() as settings:
        for number, name in enumerate(BLOCKS):
            database = _clone(settings, f"run_{number}")
            with _child(serve, blocks[name]) as (feed, _):
                url, size = feed.recv()
                bare, _ = _share(fetch_only, url)
                parsed, _ = _share(fetch_and_parse, url)
                ours, postgres = _share(watch, settings, database, url)
            shares = (ours, postgres, bare, parsed)
            percents = [f"{share * 100:.2f}" for share in shares]
            rows.append([name, f"{size / 1e3:,.0f}", *percents])
    table(
        f"Solana watcher at the head, {SLOTS_PER_SECOND} blocks/s: percent of one core (goal: "
        f"watcher at most {GOAL_PERCENT})",
        ["block", "kB gzip", "watcher", "PostgreSQL", "limit: fetch", "and json.loads"],
        rows,
    )


def _share(target: Callable[..., None], *args: object) -> tuple[float, float]:
    """Run something in a process of its own for a while; return what shares of a core it took.

    The first is its own, the second that of PostgreSQL meanwhile.
    """
    with _child(target, *args) as (report, child):
        own = psutil.Process(child)
        assert report.recv() == "running"
        time.sleep(SECONDS_WARM)
        begun = time.monotonic(), _seconds(own), _postgres_seconds()
        time.sleep(SECONDS)
        ended = time.monotonic(), _seconds(own), _postgres_seconds()
        report.send("stop")
        assert report.recv() >= int(SECONDS * SLOTS_PER_SECOND) - 1
    passed = ended[0] - begun[0]
    return (ended[1] - begun[1]) / passed, (ended[2] - begun[2]) / passed


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _postgres_seconds() -> float:
    mine = psutil.Process().children(recursive=True)
    return sum(_seconds(each) for each in mine if each.name() == "postgres")


@contextmanager
def _child(target: Callable[..., None], *args: object) -> Iterator[tuple[Connection, int]]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(*args, there), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        yield here, process.pid
    finally:
        process.terminate()
        process.join()


@contextmanager
def _prepared() -> Iterator[Settings]:
    """Start a database that knows the network and its tokens."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        settings = Settings(networks={}, data_dir=Path(folder))
        create_secrets(settings, secrets.token_urlsafe)
        with Path(os.devnull).open("w") as null:
            logs.configure("info", stream=null)
            with running(settings):
                prepare_server(settings)
                migrate(settings)
                _list_tokens(settings)
                yield settings


def _list_tokens(settings: Settings) -> None:
    with connected(settings, "admin") as connection:
        connection.execute(
            insert(Network).values(
                id=NETWORK, family="solana", display_name="Solana", identity=GENESIS,
                test=True, local=True, enabled=True,
            )
        )  # fmt: skip
        for code, mint, decimals in [("SOL", None, 9), *((c, m, 6) for c, m in MINTS.items())]:
            connection.execute(
                insert(Currency).values(
                    id=f"{code}-SOLANA", network_id=NETWORK, code=code, contract=mint,
                    token_program=TOKEN_PROGRAM if mint else None, decimals=decimals,
                    minimum_deposit_units=0, withdrawal_fee_units=0,
                    automatic_approval_below_units=0, enabled=True,
                )
            )  # fmt: skip
        connection.commit()


def _clone(settings: Settings, name: str) -> str:
    with connected(settings, "admin", database="postgres", autocommit=True) as admin:
        ensure_database(admin, name, template=EMBEDDED_DATABASE)
    return name


def watch(settings: Settings, database: str, url: str, report: Connection) -> None:
    """Be the watcher's process until told to stop; report how many blocks it committed."""
    with Path(os.devnull).open("w") as null:
        logs.configure("info", stream=null)
        uvloop.run(
            _watch(settings, Database(_url(settings, database), pool_size=4), url, report)
        )


def _url(settings: Settings, database: str) -> Any:
    return role_url(settings, "watcher", database=database)


async def _watch(settings: Settings, database: Database, url: str, report: Connection) -> None:
    section = network(url)
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, NETWORK)
    chain = connect(NETWORK, section, currencies)
    await chain.reader.check_identity()
    start = await chain.reader.ref_at((await chain.reader.tip()).final)
    async with database.unit_of_work(CROSS_TENANT) as session:
        await store.create_cursor(session, NETWORK, start, now())
    async with database.unit_of_work(CROSS_TENANT) as session:
        position = await store.take_lease(session, NETWORK, "benchmark")
    assert position is not None
    book, draw = AddressBook(""), Random(SEED)
    book.pool.update("".join(draw.choices(BASE58, k=44)) for _ in range(POOL))
    scanner = Scanner(
        chain.reader, database, currencies, book, position, settings.api.public_url,
        dense=False, switches=lambda: chain.endpoints.switches, witnesses=chain.witnesses,
        quorum=section.witnesses_needed,
    )  # fmt: skip
    garbage.settle()
    report.send("running")
    while not report.poll():
        if not await scanner.step():
            await asyncio.sleep(section.poll_milliseconds / 1000)
    report.send(scanner.position.height - start.height)
    await scanner.aclose()
    await chain.endpoints.aclose()
    await database.aclose()


def fetch_only(url: str, report: Connection) -> None:
    """Fetch every block and unpack it, no more."""
    uvloop.run(_fetch(url, len, report))


def fetch_and_parse(url: str, report: Connection) -> None:
    """Fetch every block, unpack it and parse it into dictionaries."""
    uvloop.run(_fetch(url, json.loads, report))


async def _fetch(url: str, use: Callable[[bytes], object], report: Connection) -> None:
    report.send("running")
    slot, seen = FIRST_SLOT, 0
    options = {"transactionDetails": "accounts"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "getBlock", "params": [slot, options]}
    async with httpx.AsyncClient(headers={"accept-encoding": "gzip"}, trust_env=False) as http:
        begun = time.monotonic()
        while not report.poll():
            use((await http.post(url, json=call)).content)
            seen += 1
            due = begun + seen / SLOTS_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    report.send(seen)


if __name__ == "__main__":
    main()
