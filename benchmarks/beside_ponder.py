"""The scanner beside Ponder 0.16.6 on the same blocks and the same PostgreSQL.

Ponder lies in `var/ponder`, installed by npm, with its start-up request limit lifted there; its
time to start and stop is measured by a run over one block and taken off. Each run has a database
of its own: what Ponder once fetched it keeps there, and would not fetch again.
"""

import json
import secrets
import shutil
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from sqlalchemy import text

from benchmarks.busy_chain import BusyChain
from benchmarks.timing import console, table
from devnet.chain import HOST, free_port, process
from devnet.system.waiting import until
from gateway.postgres.connect import connected
from gateway.postgres.roles import ensure_database
from gateway.postgres.url import socket_directory
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(__file__).with_name("ponder")
PLACE = ROOT / "var" / "ponder"
LIMIT, LIFTED = "INITIAL_MAX_RPS = 20", "INITIAL_MAX_RPS = 5000"
INSTALL_SECONDS_MAX = 600
RUN_SECONDS_MAX = 600.0
OK = 200
GOAL = 5
SCHEMA = "indexed"
UNEQUAL = (
    "Unequal work: Ponder stores blocks, transactions and logs for itself as well and serves any "
    "event handler; it reads logs of the token only. Ours looks at every transaction and every "
    "log, coin and token, proves each block complete, and posts credits to the ledger."
)


def install() -> str | None:
    """Put Ponder into `var/ponder`; say why not where npm cannot."""
    shutil.copytree(SOURCE, PLACE, dirs_exist_ok=True)
    limit = PLACE / "node_modules/ponder/dist/esm/rpc/index.js"
    try:
        if not limit.exists():
            command = ["npm", "install", "--no-fund", "--no-audit", "--loglevel=error"]
            subprocess.run(command, cwd=PLACE, check=True, timeout=INSTALL_SECONDS_MAX)
        code = limit.read_text()
    except (OSError, subprocess.SubprocessError) as trouble:
        return f"Ponder comparison skipped: npm cannot install it ({trouble})"
    if LIMIT not in code and LIFTED not in code:
        return "Ponder comparison skipped: this version has no start-up limit to lift"
    limit.write_text(code.replace(LIMIT, LIFTED))
    return None


@dataclass(frozen=True, slots=True)
class Theirs:
    """What one run of Ponder made of the chain: blocks per second, payments to the pool."""

    rate: float
    found: int


async def ponder(settings: Settings, chain: BusyChain) -> Theirs:
    """Let Ponder catch up in a database of its own."""
    fresh = [_database(settings) for _ in range(2)]
    start = await _seconds(settings, chain, fresh[0], chain.first)
    whole = await _seconds(settings, chain, fresh[1], chain.last)
    with connected(settings, "admin", database=fresh[1]) as connection:
        found = connection.scalar(text(f"SELECT count(*) FROM {SCHEMA}.deposit")) or 0
    return Theirs((chain.last - chain.first) / (whole - start), found)


def _database(settings: Settings) -> str:
    name = f"ponder_{secrets.token_hex(8)}"
    with connected(settings, "admin", database="postgres", autocommit=True) as admin:
        ensure_database(admin, name, template="template1")
    return name


async def _seconds(settings: Settings, chain: BusyChain, database: str, last: int) -> float:
    """Measure from the start of the process until it says that it is ready."""
    port = free_port()
    pool = PLACE / "pool.json"
    pool.write_text(json.dumps(list(chain.pool)))
    password = settings.secret("database.admin_password_file")
    folder = socket_directory(settings)
    environment = {
        "DATABASE_URL": f"postgresql://postgres:{password}@localhost/{database}?host={folder}",
        "NODE_URL": chain.url,
        "TOKEN": chain.token,
        "FIRST": str(chain.first),
        "LAST": str(last),
        "POOL": str(pool),
        "PONDER_TELEMETRY_DISABLED": "1",
        "CI": "1",
    }
    begun = time.perf_counter()
    command = [
        *("env", *(f"{name}={value}" for name, value in environment.items())),
        *("node", "node_modules/ponder/dist/esm/bin/ponder.js", "--log-level", "error"),
        *("start", "--schema", SCHEMA, "--port", str(port), "--hostname", HOST),
    ]
    async with process(command, cwd=PLACE), aiohttp.ClientSession() as http:
        await until(_ready(http, port), "Ponder's end", seconds_max=RUN_SECONDS_MAX)
    return time.perf_counter() - begun


def _ready(http: aiohttp.ClientSession, port: int) -> Callable[[], Awaitable[bool | None]]:
    async def ask() -> bool | None:
        try:
            async with http.get(f"http://{HOST}:{port}/ready") as response:
                return True if response.status == OK else None
        except aiohttp.ClientError:
            return None

    return ask


def show(ours: Sequence[float], theirs: Sequence[Theirs]) -> None:
    """Print the comparison."""
    rates = [each.rate for each in theirs]
    rate, other = statistics.median(ours), statistics.median(rates)
    table(
        "The scanner beside Ponder 0.16.6 (viem 2.48.0, start-up limit lifted), same PostgreSQL",
        ["", "blocks/s, median", "runs", "times Ponder"],
        [
            ["Ponder, start and stop taken off", f"{other:.1f}", rounded(rates), "1.0"],
            ["scanner", f"{rate:.1f}", rounded(ours), f"{rate / other:.1f} (goal {GOAL})"],
        ],
    )
    console.print(f"Ponder found {theirs[-1].found} token payments. {UNEQUAL}", highlight=False)


def rounded(rates: Sequence[float]) -> str:
    """Write rates in a cell."""
    return " ".join(f"{rate:.0f}" for rate in rates)
