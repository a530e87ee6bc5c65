"""Chains as commands of their own: what a supervisor starts, and what dies with it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from devnet import anvil, surfpool
from devnet.chain import LocalChain
from devnet.tied import survivors

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

ROOT = Path(__file__).parents[2]
GONE_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """A running chain command, the line it printed when ready, the processes below it."""

    process: subprocess.Popen[bytes]
    line: dict[str, str]
    below: list[psutil.Process]

    def finish(self) -> int:
        """Wait for the command and all below it; return its exit status."""
        status = self.process.wait(GONE_SECONDS_MAX)
        assert survivors(self.below, GONE_SECONDS_MAX) == []
        return status


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Command]:
    """Run a chain command; kill it at the end of the block if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout
            line = json.loads(process.stdout.readline())
            yield Command(process, line, psutil.Process(process.pid).children(recursive=True))
        finally:
            process.kill()


async def paid(chain: LocalChain) -> int:
    """Pay 1000000 token units to a fresh address; return what arrived."""
    to = await chain.fresh_address()
    await chain.pay(to, 1_000_000, chain.token)
    return await chain.balance(to, chain.token)


async def test_anvil_command_serves_until_sigterm() -> None:
    """Another process attaches by URL and pays."""
    with started("devnet.anvil") as command:
        async with anvil.attached(command.line["url"]) as chain:
            assert chain.token == command.line["token"]
            assert chain.identity == command.line["identity"]
            assert await paid(chain) == 1_000_000
        command.process.terminate()
        assert command.finish() == 0


async def test_surfpool_command_serves_until_sigterm() -> None:
    """Another process attaches by URL and pays."""
    with started("devnet.surfpool", "--slot-ms", "50") as command:
        async with surfpool.attached(command.line["url"]) as chain:
            assert chain.token == command.line["token"]
            assert chain.identity == command.line["identity"]
            assert await paid(chain) == 1_000_000
        command.process.terminate()
        assert command.finish() == 0


@pytest.mark.parametrize("module", ["devnet.anvil", "devnet.surfpool"])
async def test_killed_command_takes_its_chain_along(module: str) -> None:
    """Even SIGKILL leaves no node behind."""
    with started(module) as command:
        assert command.below
        command.process.kill()
        assert command.finish() == -signal.SIGKILL


@pytest.mark.parametrize("module", ["devnet.anvil", "devnet.surfpool"])
async def test_closed_input_ends_the_command_if_asked(module: str) -> None:
    """`--stop-with-stdin` ties the chain to whoever holds the pipe."""
    with started(module, "--stop-with-stdin") as command:
        assert command.process.stdin
        command.process.stdin.close()
        assert command.finish() == 0
