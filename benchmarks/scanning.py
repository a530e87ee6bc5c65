"""The scanner as the watcher wires it, over a busy chain into a database of its own."""

import secrets
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select

from benchmarks.busy_chain import BusyChain
from gateway.db import CROSS_TENANT, Database
from gateway.models import AddressPool, Block, Currency, Deposit, Network
from gateway.postgres.connect import connected
from gateway.postgres.roles import ensure_database
from gateway.postgres.url import EMBEDDED_DATABASE, role_url
from gateway.settings import NetworkSettings, Settings
from keystore.api import pool_message
from watchers import garbage, store
from watchers.addresses import AddressBook
from watchers.clock import now
from watchers.commands.carried import IDLE_SECONDS
from watchers.families import connect
from watchers.network import ChainReader
from watchers.providers.capabilities import leaving_out
from watchers.scan.scanner import Scanner

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


async def ours(settings: Settings, chain: BusyChain, without: Collection[str]) -> Ours:
    """Catch up from the first full block to the head in a database that knows the pool.

    Wired as the watcher is, but `without` these capabilities of the node.
    """
    name = database_for(settings, chain)
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
        with ExitStack() as left_out:
            for capability in without:
                left_out.enter_context(leaving_out(capability))
            scanner = await _scanner(settings, database, eyes.reader, currencies, chain)
            run = await _counted(database, await _rate(scanner, chain))
        assert (run.blocks > chain.last - chain.first, run.deposits) == (True, len(chain.paid))
        return run
    finally:
        await eyes.endpoints.aclose()
        await database.aclose()


async def _rate(scanner: Scanner, chain: BusyChain) -> float:
    """Carry the cursor over all full blocks; return how many a second once it is warm."""
    garbage.settle()  # as the watcher does when it has started
    async with aclosing(scanner):
        while scanner.position.height < chain.measured.start - 1:
            await scanner.step()
        await scanner.prefetch.discard()
        left = chain.last - scanner.position.height
        begun = time.perf_counter()
        while scanner.position.height < chain.last:
            await scanner.step()
        return left / (time.perf_counter() - begun)


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
        position = await store.take_lease(session, NETWORK, "benchmark")
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
