"""`watchers explain` against a real node: a table for people, one document for programs."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devnet import anvil
from devnet.system.waiting import until
from tests.conftest import FreshDatabase
from tests.watchers.test_command import ROOT, config, run
from tests.watchers.world import PUBLIC_KEY, world

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
UNITS = 10**15


async def test_the_command_names_the_gate_that_is_closed(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """The node has the payment, the address is ours, and our scan has not come so far."""
    async with world(database) as w, anvil.running() as chain:
        path = config(tmp_path, database, chain.url, str(w.chain.chain_id))
        with path.open("a") as file:
            file.write(f'[keystore]\npool_public_key = "{PUBLIC_KEY}"\n')
        tx_hash = await chain.pay(w.assigned, UNITS)
        await chain.mine(2)

        async def document() -> dict[str, Any] | None:
            shown = run("explain", "ethereum", tx_hash, "--json", "--config", str(path))
            assert shown.returncode == 0, shown.stderr
            found: dict[str, Any] = msgspec.json.decode(shown.stdout)
            return found if found["height"] is not None else None

        found = await until(document, "the node to have the payment in a block")
        answers = {gate["gate"]: gate["answer"] for gate in found["gates"]}
        assert answers == {
            "seen_by_provider": "yes",
            "block_complete": "yes",
            "success": "yes",
            "scanned": "no",
            "asset_listed": "yes",
            "address_ours": "yes",
            "signature_genuine": "yes",
            "invoice": "unknown",
            "confirmations": "no",
            "final": "no",
            "ledger_entry": "no",
        }
        [transfer] = found["transfers"]
        assert (transfer["to"], transfer["units"]) == (w.assigned, str(UNITS))
        table = run("explain", "ethereum", tx_hash, "--config", str(path)).stdout
        assert table.splitlines()[0] == f"ethereum {tx_hash}"
        assert "scanned           no" in table


def test_what_cannot_be_explained_is_one_line(database: FreshDatabase, tmp_path: Path) -> None:
    """No such network, no such hash: exit 1 and the name of the argument."""
    path = str(config(tmp_path, database, "http://127.0.0.1:1", "31337"))
    for words, said in (
        (("nowhere", "0x" + "ab" * 32), "networks.nowhere"),
        (("ethereum", "0x12"), "TX: a transaction hash here is 64 hex digits"),
    ):
        refused = run("explain", *words, "--config", path)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1


async def test_a_command_that_is_interrupted_says_nothing(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """Ctrl-C while a silent node is waited for: the shell's own exit code, no traceback."""
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    async with world(database), await asyncio.start_server(silent, "127.0.0.1", 0) as node:
        port = node.sockets[0].getsockname()[1]
        path = str(config(tmp_path, database, f"http://127.0.0.1:{port}", "1"))
        words = ["explain", "ethereum", "0x" + "ab" * 32, "--config", path]
        # A suite that runs in the background ignores Ctrl-C, and its children would too.
        hearing = ["env", "--default-signal=INT", sys.executable, "-m", "watchers", *words]
        command = await asyncio.create_subprocess_exec(
            *hearing, cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        await asyncio.wait_for(asked.wait(), 60)
        command.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(command.communicate(), 60)
        assert (command.returncode, said) == (130, b"")
