"""`watchers` stops with one line that names the key."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devnet import anvil
from gateway.heard import UNHEARD
from tests.conftest import FreshDatabase
from tests.watchers.world import world

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
data_dir = "data"
[database]
url = "{url}"
watcher_password_file = "{password}"
[networks.ethereum]
family = "ethereum"
display_name = "Ethereum"
identity = "{identity}"
rpc_urls = ["{rpc}"]
test = true
[[networks.ethereum.assets]]
code = "ETH"
decimals = 18
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `watchers` to its end."""
    command = [sys.executable, "-m", "watchers", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def config(folder: Path, database: FreshDatabase, rpc: str, identity: str) -> Path:
    """Write a configuration for the test's database."""
    settings = database.settings.database
    path = folder / "config.toml"
    path.write_text(
        CONFIG.format(
            url=settings.url,
            password=settings.watcher_password_file,
            identity=identity,
            rpc=rpc,
        )
    )
    return path


async def test_a_node_of_another_chain_stops_the_watcher_and_names_the_key(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """Exit 1 and `networks.ethereum.identity`; nothing was scanned."""
    async with world(database), anvil.running() as chain:
        path = config(tmp_path, database, chain.url, "1")
        done = await asyncio.to_thread(run, "run", "ethereum", "--config", str(path))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    node = chain.url.removeprefix("http://")
    assert last == (
        f"watchers: networks.ethereum.identity: {node}: chain id 31337, configured 1"
    )


async def test_an_unknown_network_is_refused_by_name(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """Exit 1 and the key that is missing."""
    path = config(tmp_path, database, "http://127.0.0.1:1", "1")
    done = run("run", "tron", "--config", str(path))
    assert done.returncode == 1
    assert "networks.tron" in done.stderr


def test_nobody_who_reads_is_one_line_and_an_exit_code(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """As `watchers status | head -1` leaves it: no traceback, whatever was still to be printed."""
    path = config(tmp_path, database, "http://127.0.0.1:1", "1")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "watchers", "status", "--config", str(path)]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"watchers: {UNHEARD}"]
