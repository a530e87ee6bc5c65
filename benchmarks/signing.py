"""New signatures beside bare fsynced inserts, repeats that write nothing, memory at rest.

A real `keystore serve` with a policy-free test network signs payments that it has never seen; the
limit is a table of one blob in the same folder, one fsynced commit a row, as long as a journal row
is on average. Both take turns, and the ratio of the medians is what counts. A turn is long enough
that each side pays for checkpoints of its own, after 1,000 pages, in every one.
Run: `.venv/bin/python -m benchmarks.signing`.
"""

import asyncio
import itertools
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import uvloop

from benchmarks.timing import table
from keystore import api
from keystore.client import KeystoreClient, KeystoreUnavailable

ROUNDS, COUNT = 7, 1_000
ASKERS = 4
"""As many watchers as a small house runs; one waits for its answer while another is signed."""
ROW = os.urandom(835)
"""A journal row has 690 bytes on Ethereum, 770 on Tron, 1,045 on Solana."""
RATIO_LIMIT, MEMORY_LIMIT_MIB = 0.5, 100
START_SECONDS = 60
SETTINGS = """file = "vault"
journal = "journal"
socket = "run/k.sock"
passphrase_file = "passphrase"
[networks.ethereum]
family = "ethereum"
chain_id = 31337
test = true
[networks.tron]
family = "tron"
test = true
[networks.solana]
family = "solana"
test = true
"""

_numbers = itertools.count(1)
Intents = Callable[[int], api.Intent]


def main() -> None:
    """Measure each family in turns with the limit, then repeats and memory; print."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        home = Path(folder)
        with serving(home) as process:
            uvloop.run(_measured(home, process))  # as watchers do


@contextmanager
def serving(home: Path) -> Iterator[psutil.Process]:
    """Make a keystore in an empty folder and serve it for the length of a block."""
    config = home / "keystore.toml"
    config.write_text(SETTINGS)
    passphrase = home / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("a passphrase of the benchmark\n")
    command = [sys.executable, "-m", "keystore"]
    made = [*command, "init", "--config", str(config), "--kdf-memory-mib", "64"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    with (
        Path(os.devnull).open("w") as null,
        subprocess.Popen([*command, "serve", "--config", str(config)], stderr=null) as served,
    ):
        try:
            asyncio.run(_answering(home))
            yield psutil.Process(served.pid)
        finally:
            served.terminate()


async def _answering(home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with KeystoreClient(home / "run" / "k.sock") as client:
        while True:
            try:
                await client.status()
            except KeystoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                return


async def _measured(home: Path, process: psutil.Process) -> None:
    at_rest = process.memory_info().rss >> 20
    clients = [KeystoreClient(home / "run" / "k.sock") for _ in range(ASKERS)]
    async with clients[0] as client:
        families = await _families(client)
        with closing(_bare(home)) as db:
            rates = await _in_turns(clients, db, families)
        for other in clients[1:]:
            await other.aclose()
        repeats, written = await _repeated(client, home, families["ethereum"])
        await client.derive_pool("ethereum", 0, 2_000)
    rows = [["bare fsynced insert", f"{rates['bare']:.0f}", "1", ""]]
    for name in families:
        ratio = f"{rates[name] / rates['bare']:.2f}"
        rows.append([f"new signature, {name}", f"{rates[name]:.0f}", ratio, f"{RATIO_LIMIT}"])
    ratio = f"{repeats / rates['bare']:.2f}"
    rows.append([f"repeat ({written} bytes written)", f"{repeats:.0f}", ratio, "0 bytes"])
    table(
        f"Keystore: new signatures for {ASKERS} askers",
        ["", "per second", "ratio", "limit"],
        rows,
    )
    after = process.memory_info().rss >> 20
    told = [
        ["after unlock", f"{at_rest}", f"{MEMORY_LIMIT_MIB}"],
        ["after all this and 2,000 pool rows", f"{after}", ""],
    ]
    table("Keystore: resident memory", ["", "MiB", "limit"], told)


async def _families(client: KeystoreClient) -> dict[str, Intents]:
    lane = (await client.wallets("solana"))[2].address

    def ethereum(number: int) -> api.Intent:
        return api.EthereumIntent(
            withdrawal_id=f"wdr_e{number}", network="ethereum", asset="native",
            to="0x" + "ab" * 20, units="1000000000000000", chain_id=31337, nonce=number,
            gas_limit=21_000, max_fee_per_gas="2000000000",
            max_priority_fee_per_gas="1000000000",
        )  # fmt: skip

    def tron(number: int) -> api.Intent:
        return api.TronIntent(
            withdrawal_id=f"wdr_t{number}", network="tron", asset="native",
            to="TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", units="1000000",
            ref_block_id="00000000000004d2" + "1f" * 24, timestamp_ms=1_700_000_000_000 + number,
            expiration_ms=1_700_000_000_000 + number + 3_600_000, fee_limit=0,
        )  # fmt: skip

    def solana(number: int) -> api.Intent:
        return api.SolanaIntent(
            withdrawal_id=f"wdr_s{number}", network="solana", asset="native",
            to="7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy", units="5000000", decimals=0,
            token_program="", create_ata=False, nonce_account=lane,
            nonce_value=_base58(number), compute_unit_limit=20_000,
            compute_unit_price_micro_lamports=1_000,
        )  # fmt: skip

    return {"ethereum": ethereum, "tron": tron, "solana": solana}


def _base58(number: int) -> str:
    """Spell 32 bytes that were never used before."""
    from solders.hash import Hash  # noqa: PLC0415 - the one place that needs it

    return str(Hash(number.to_bytes(32, "big")))


async def _in_turns(
    clients: list[KeystoreClient], db: sqlite3.Connection, families: dict[str, Intents]
) -> dict[str, float]:
    """Return rows a second: the median round of each."""
    taken: dict[str, list[float]] = {name: [] for name in ("bare", *families)}

    async def bare() -> None:
        for _ in range(COUNT):
            _insert(db)

    async def ask(client: KeystoreClient, intent: Intents) -> None:
        for _ in range(COUNT // len(clients)):
            await client.sign(intent(next(_numbers)))

    def signing(intent: Intents) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            await asyncio.gather(*(ask(client, intent) for client in clients))

        return work

    works = {"bare": bare, **{name: signing(made) for name, made in families.items()}}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            begun = time.perf_counter()
            await work()
            if number:
                taken[name].append(time.perf_counter() - begun)
    return {name: COUNT / statistics.median(seconds) for name, seconds in taken.items()}


async def _repeated(client: KeystoreClient, home: Path, intent: Intents) -> tuple[float, int]:
    """Return repeats a second, and by how many bytes log and journal grew."""
    asked = intent(next(_numbers))
    first = await client.sign(asked)
    before = _journal_bytes(home)
    begun = time.perf_counter()
    for _ in range(COUNT):
        assert await client.sign(asked) == first
    rate = COUNT / (time.perf_counter() - begun)
    return rate, _journal_bytes(home) - before


def _journal_bytes(home: Path) -> int:
    """Return the length of everything ever signed: a checkpoint moves pages without a new row."""
    with closing(sqlite3.connect(f"file:{home / 'journal'}?mode=ro", uri=True)) as db:
        return int(db.execute("select sum(length(raw)) from entry").fetchone()[0])


def _bare(home: Path) -> sqlite3.Connection:
    db = sqlite3.connect(home / "bare", isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("create table bare (id integer primary key, body blob not null)")
    return db


def _insert(db: sqlite3.Connection) -> None:
    db.execute("begin immediate")
    db.execute("insert into bare (body) values (?)", (ROW,))
    db.execute("commit")


if __name__ == "__main__":
    main()
