"""How much of a bare client's rate the scanner keeps while it catches up, every check on.

Both read the same 500 full blocks of one anvil with the same requests (block, logs, receipts that
matter) and as many at once; the bare client throws the answers away, ours proves, links, matches
and commits them into the embedded PostgreSQL, credits included. In turns; the ratio of the medians
counts. A hundredth of all payments is ours; a last row shows a tenth, which writing deposits bounds.
Run: `.venv/bin/python -m benchmarks.catch_up`; with `PONDER=1` in the environment also beside
Ponder, which npm installs into `var/ponder`.
"""

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select

from benchmarks import beside_ponder
from benchmarks.beside_ponder import rounded
from benchmarks.busy_chain import BLOCKS, POOL, TRANSACTIONS, BusyChain, busy_chain
from benchmarks.fetch_only import fetch, requests_of
from benchmarks.timing import console, table
from gateway import logs
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT, Database
from gateway.models import AddressPool, Block, Currency, Deposit, Network
from gateway.postgres.cluster import running
from gateway.postgres.connect import connected
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import ensure_database, prepare_server
from gateway.postgres.url import EMBEDDED_DATABASE, role_url
from gateway.settings import NetworkSettings, Settings
from keystore.api import pool_message
from watchers import garbage, store
from watchers.addresses import AddressBook
from watchers.clock import now
from watchers.commands.carried import IDLE_SECONDS
from watchers.families import connect
from watchers.network import ChainReader
from watchers.providers.capabilities import TRACES, leaving_out
from watchers.scan.prefetch import IN_FLIGHT_MAX
from watchers.scan.scanner import Scanner

ROUNDS = 5
FLOODS = 2
PONDER = "PONDER"
NOT_ASKED = "Ponder comparison skipped: ask for it with `make bench PONDER=1`"
NETWORK = "ethereum"
COIN, TOKEN = "ETH-ETHEREUM", "TUSD-ETHEREUM"
KEY = Ed25519PrivateKey.from_private_bytes(b"pool key of the benchmark".ljust(32))


@dataclass(frozen=True, slots=True)
class Ours:
    """What one run of the scanner made of the chain."""

    rate: float
    blocks: int
    deposits: int
    credited: int


async def ours(settings: Settings, chain: BusyChain, name: str) -> Ours:
    """Catch up from the first full block to the head in a database that knows the pool.

    Wired as the watcher is; traces, of which the other two know nothing, are left out.
    """
    url = role_url(settings, "watcher", database=name)
    database = Database(url, pool_size=4, idle_seconds=IDLE_SECONDS)
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, NETWORK)
    network = NetworkSettings(
        family="ethereum",
        display_name="Ethereum",
        identity=str(chain.chain_id),
        rpc_urls=[chain.url],
        assets=[],
    )
    eyes = connect(NETWORK, network, currencies)
    try:
        with leaving_out(TRACES):
            scanner = await _scanner(settings, database, eyes.reader, currencies, chain)
            garbage.settle()  # as the watcher does when it has started
            begun = time.perf_counter()
            async with aclosing(scanner):
                while scanner.position.height < chain.last:
                    await scanner.step()
                seconds = time.perf_counter() - begun
        return await _counted(database, (chain.last - chain.first + 1) / seconds)
    finally:
        await eyes.endpoints.aclose()
        await database.aclose()


async def _scanner(
    settings: Settings,
    database: Database,
    reader: ChainReader,
    currencies: Sequence[Currency],
    chain: BusyChain,
) -> Scanner:
    start = (await reader.read(chain.first - 1)).ref
    async with database.unit_of_work(CROSS_TENANT) as session:
        await store.create_cursor(session, NETWORK, start, now())
    book = AddressBook(KEY.public_key().public_bytes_raw().hex())
    async with database.unit_of_work(CROSS_TENANT) as session:
        position = await store.take_lease(session, NETWORK, "benchmark", now())
        assert position is not None
        await book.load(session, NETWORK)
    return Scanner(reader, database, currencies, book, position, settings.api.public_url)


async def _counted(database: Database, rate: float) -> Ours:
    async with database.unit_of_work(CROSS_TENANT) as session:
        blocks = list(await session.scalars(select(Block.height)))
        statuses = list(await session.scalars(select(Deposit.status)))
    return Ours(rate, len(blocks) - 1, len(statuses), statuses.count("confirmed"))


def know_the_pool(connection: Connection, chain: BusyChain) -> None:
    """List the network, its two currencies and the pool's signed rows."""
    connection.execute(
        insert(Network).values(
            id=NETWORK, family="ethereum", display_name="Ethereum",
            identity=str(chain.chain_id), test=True, local=True, enabled=True,
        )
    )  # fmt: skip
    for currency, contract, decimals in ((COIN, None, 18), (TOKEN, chain.token, 6)):
        connection.execute(
            insert(Currency).values(
                id=currency, network_id=NETWORK, code=currency.split("-")[0],
                contract=contract, token_program=None, decimals=decimals,
                minimum_deposit_units=0, withdrawal_fee_units=0,
                automatic_approval_below_units=0, enabled=True,
            )
        )  # fmt: skip
    moment = now().at
    rows = []
    for index, address in enumerate(chain.pool):
        path = f"m/44'/60'/0'/0/{index}"
        rows.append(
            {
                "network_id": NETWORK, "index": index, "path": path, "address": address,
                "signature": KEY.sign(pool_message(NETWORK, index, path, address)),
                "status": "AVAILABLE", "created_at": moment,
            }
        )  # fmt: skip
    connection.execute(insert(AddressPool), rows)


def database_for(settings: Settings, chain: BusyChain) -> str:
    """Copy the empty database and let it know the chain's pool; return the copy's name."""
    name = f"run_{secrets.token_hex(8)}"
    with connected(settings, "admin", database="postgres", autocommit=True) as admin:
        ensure_database(admin, name, template=EMBEDDED_DATABASE)
    with connected(settings, "admin", database=name) as connection:
        know_the_pool(connection, chain)
        connection.commit()
    return name


def show(
    blocks: int, limits: Sequence[float], runs: Sequence[Ours], flood: Sequence[Ours]
) -> None:
    """Print both, and the ratio of the medians."""
    limit = statistics.median(limits)
    rate, flooded = (statistics.median(run.rate for run in each) for each in (runs, flood))
    table(
        f"Catch-up on anvil: {blocks} blocks of {TRANSACTIONS} transactions, {IN_FLIGHT_MAX} "
        "reads at once, into PostgreSQL",
        ["", "blocks/s, median", "runs", "of fetch-only"],
        [
            ["fetch only, the same requests", f"{limit:.1f}", rounded(limits), "1.00"],
            [
                _named(runs[-1]),
                f"{rate:.1f}",
                rounded([run.rate for run in runs]),
                f"{rate / limit:.2f} (goal 0.60)",
            ],
            [_named(flood[-1]), f"{flooded:.1f}", rounded([run.rate for run in flood]), "-"],
        ],
    )
    console.print(
        f"The last row writes {flooded * flood[-1].deposits / blocks:.0f} deposits/s."
    )


def _named(run: Ours) -> str:
    return f"scanner: {run.deposits} deposits, {run.credited} credited"


async def measure(settings: Settings, blocks: int, rounds: int) -> None:
    """Fill a chain, run both in turns, print."""
    async with busy_chain(blocks) as whole:
        chain = whole.with_pool(POOL // 10)
        missing = beside_ponder.install() if PONDER in os.environ else NOT_ASKED
        requests = await requests_of(chain)
        limits, runs, flood, theirs = [], [], [], []
        for number in range(rounds):
            limits.append(await fetch(chain, requests, IN_FLIGHT_MAX))
            runs.append(await _checked(settings, chain))
            if missing is None:
                theirs.append(await beside_ponder.ponder(settings, chain))
            if number < FLOODS:
                flood.append(await _checked(settings, whole))
        show(blocks, limits, runs, flood)
        if missing is None:
            beside_ponder.show([run.rate for run in runs], theirs)
        else:
            console.print(missing)


async def _checked(settings: Settings, chain: BusyChain) -> Ours:
    run = await ours(settings, chain, database_for(settings, chain))
    assert (run.blocks > chain.last - chain.first, run.deposits) == (True, len(chain.paid))
    return run


def main(argv: Sequence[str] = ()) -> int:
    """Start the database, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="gw-") as folder,
        Path(os.devnull).open("w") as null,
    ):
        settings = Settings(networks={}, data_dir=Path(folder))
        create_secrets(settings, secrets.token_urlsafe)
        logs.configure("info", stream=null)
        with running(settings):
            prepare_server(settings)
            migrate(settings)
            uvloop.run(measure(settings, args.blocks, args.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
