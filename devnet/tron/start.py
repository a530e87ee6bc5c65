"""Starting an emulator: in this process, as a process of its own, or one that runs already."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from devnet.chain import HOST, ChainFault, free_port, process, until
from devnet.tron.evm import evm
from devnet.tron.http import listening
from devnet.tron.local import TronChain
from devnet.tron.node import Node

START_SECONDS_MAX = 30.0
TRIES = 3
"""A port that was free may be somebody's by the time that the emulator binds it."""


@asynccontextmanager
async def attached(url: str) -> AsyncIterator[TronChain]:
    """Serve the chain of an emulator that runs already."""
    async with httpx.AsyncClient(timeout=20.0, trust_env=False) as client:

        async def genesis() -> str:
            answer = await client.post(f"{url}/wallet/getblockbynum", json={"num": 0})
            found: str = answer.json()["blockID"]
            return found

        identity = await until(genesis, f"Tron emulator at {url}")
        yield TronChain(url, client, identity)


@asynccontextmanager
async def running(
    block_seconds: float = 1, *, solid_lag: int = 3, port: int = 0
) -> AsyncIterator[TronChain]:
    """Start the emulator as its own process, yield the chain, stop it.

    With 0 seconds blocks come by `mine` only.
    """
    for _ in range(1 if port else TRIES):
        chosen = port or free_port()
        command = [
            *(sys.executable, "-m", "devnet.tron", "--stop-with-stdin", "--port", str(chosen)),
            *("--block-seconds", str(block_seconds), "--solid-lag", str(solid_lag)),
        ]
        async with process(command, cwd=Path(__file__).parents[2]) as child:
            if await _is_ready(child):
                async with attached(f"http://{HOST}:{chosen}") as chain:
                    yield chain
                return
    raise ChainFault(f"the Tron emulator ended; is port {chosen} taken?")


async def _is_ready(child: asyncio.subprocess.Process) -> bool:
    """Wait for the emulator's word; False where it ended instead."""
    if child.stdout is None:
        raise ChainFault("the emulator has no standard output")
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            return bool(await child.stdout.readline())
    except TimeoutError as trouble:
        raise ChainFault("the Tron emulator did not start in time") from trouble


@asynccontextmanager
async def hosted(
    block_seconds: float, *, solid_lag: int, port: int
) -> AsyncIterator[TronChain]:
    """Run the emulator inside this process: its anvil, block production and HTTP server."""
    port = port or free_port()
    async with evm() as machine:
        node = Node(machine, lambda: time.time_ns() // 1_000_000, solid_lag)
        await node.start()
        async with (
            listening(node, port),
            _producing(node, block_seconds),
            attached(f"http://{HOST}:{port}") as chain,
        ):
            yield chain


@asynccontextmanager
async def _producing(node: Node, seconds: float) -> AsyncIterator[None]:
    """Seal blocks in the background; its failure ends the block."""
    if not seconds:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        production = tasks.create_task(node.produce_every(seconds))
        yield
        production.cancel()
