"""The one face of every local chain, and how its processes are started and never left behind.

Each chain module offers two context managers that yield a `LocalChain`: `running(...)`, which
starts the chain and stops it, and `attached(url)`, which serves a chain that another process
runs (`python -m devnet.anvil --port P`).
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from devnet.tied import tied

T = TypeVar("T")

HOST = "127.0.0.1"
NATIVE = "native"
TOKEN_DECIMALS = 6
TOKEN_SUPPLY_UNITS = 10**18
"""The test token of every chain; the payer starts with all of it, a million million TUSD."""
NODE_MODULES = Path(__file__).parent / "node_modules"
ANVIL = NODE_MODULES / "@foundry-rs/anvil-linux-amd64/bin/anvil"
"""The program itself: npm's launcher would stay in between and leave it behind when killed."""
STOP_SECONDS_MAX = 5.0
POLL_SECONDS_FIRST, POLL_SECONDS_MAX = 0.01, 0.1


class LocalChain(Protocol):
    """A chain on this machine with a rich payer. Amounts are integers in base units."""

    family: str
    """`ethereum`, `tron` or `solana`."""
    url: str
    """RPC base URL on 127.0.0.1."""
    identity: str
    """Decimal chain id (ethereum), genesis block id (tron), genesis hash (solana)."""
    token: str
    """Contract or mint of the 6-decimal test token TUSD; the same on every start."""
    payer: str
    """Address that holds plenty of the native coin and of the token."""

    async def pay(self, to: str, units: int, asset: str = NATIVE) -> str:
        """Send from the payer; return the hash as the chain writes it, once in a block.

        `asset` is `native` or a contract or mint. Raises `ChainFault` where it did not succeed.
        """
        ...

    async def balance(self, address: str, asset: str = NATIVE) -> int:
        """Return the balance; of a Solana token that of the canonical account, 0 if none."""
        ...

    async def fresh_address(self) -> str:
        """Return a random address that nobody holds the key of and that has no history."""
        ...

    async def mine(self, blocks: int = 1) -> None:
        """Advance by `blocks` blocks, quickly."""
        ...


class ChainFault(Exception):
    """A local chain did not start, stop or do what it was told."""


class RpcFault(ChainFault):
    """The chain answered a JSON-RPC call with an error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def result_of(answer: dict[str, Any]) -> Any:
    """Return the result of a whole reply; raise `RpcFault` for an error object."""
    if "error" in answer:
        raise RpcFault(answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


@dataclass(slots=True)
class Rpc:
    """Plain JSON-RPC over HTTP without retries: the node is on this machine."""

    url: str
    timeout_s: float = 20.0
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(timeout=self.timeout_s, trust_env=False)

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result as parsed JSON; raise `RpcFault` for an error object."""
        return result_of(await self.answer(method, params))

    async def answer(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """Return the whole reply object, which holds `result` or `error`."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        reply: dict[str, Any] = (await self.client.post(self.url, json=body)).json()
        return reply

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()


def free_port(wanted: int = 0) -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on; `wanted` itself unless it is 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as trouble:
            raise ChainFault(f"port {wanted} is taken") from trouble
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(
    command: Sequence[str | Path], *, cwd: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `command` inside the block: SIGTERM at its end, SIGKILL after `STOP_SECONDS_MAX`.

    Standard input and output are pipes, standard error is ours. The child is tied to us, so
    that nothing outlives a killed test run.
    """
    child = await asyncio.create_subprocess_exec(
        *tied([str(word) for word in command]),
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield child
    finally:
        await asyncio.shield(_stopped(child))


async def _stopped(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await child.wait()
        except TimeoutError:
            child.kill()
    # `communicate` also closes the pipes, which `wait` leaves to the garbage collector.
    await child.communicate()


async def until(
    probe: Callable[[], Awaitable[T | None]], what: str, *, seconds_max: float = 20.0
) -> T:
    """Ask until `probe` returns something other than None; raise `ChainFault` naming `what`.

    A refused connection counts as None: the process behind it is still starting. The pause
    between two questions grows, because many wait at a time and the machine may be small.
    """
    pause = POLL_SECONDS_FIRST
    try:
        async with asyncio.timeout(seconds_max):
            while True:
                try:
                    found = await probe()
                except httpx.TransportError:
                    found = None
                if found is not None:
                    return found
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, POLL_SECONDS_MAX)
    except TimeoutError as trouble:
        raise ChainFault(f"waited {seconds_max:g} s for {what}") from trouble


def port_argument(parser: argparse.ArgumentParser) -> None:
    """Add what every chain command takes: `--port` and `--stop-with-stdin`."""
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 = any")
    parser.add_argument(
        "--stop-with-stdin", action="store_true", help="also stop when standard input closes"
    )


def serve(running: AbstractAsyncContextManager[LocalChain], *, stop_with_stdin: bool) -> None:
    """Run a chain as the whole process: print one JSON line when ready, stay until SIGTERM.

    The line holds the data attributes of `LocalChain`.
    """
    asyncio.run(_serve(running, stop_with_stdin=stop_with_stdin))


async def _serve(
    running: AbstractAsyncContextManager[LocalChain], *, stop_with_stdin: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running as chain:
        names = ("family", "url", "identity", "token", "payer")
        print(json.dumps({name: getattr(chain, name) for name in names}), flush=True)
        if stop_with_stdin:
            loop.add_reader(sys.stdin, _set_at_end_of_input, stop)
        await stop.wait()


def _set_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()
