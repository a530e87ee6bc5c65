"""An anvil full of payments: every block holds 100 transfers of the coin and 100 of a token.

A tenth of them go to the pool, the others to strangers; whoever holds only a tenth of the pool
finds a hundredth of them his.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from devnet.anvil import attached, call_data
from devnet.chain import ANVIL, HOST, TOKEN_SUPPLY_UNITS, free_port, process

BLOCKS = 500
TRANSACTIONS = 200
POOL = 10_000
WARMING = 100
"""So many full blocks more stand below those that are measured: what a process makes once (prepared
statements, compiled queries, the first row of each wallet) is no part of a rate."""
CONFIRMATIONS = 70
"""Empty blocks on top: two of anvil's epochs of 32 are not final."""


@dataclass(frozen=True, slots=True)
class BusyChain:
    """A chain that stands still; blocks `first` to `last` are full."""

    url: str
    chain_id: int
    token: str
    pool: Sequence[str]
    first: int
    last: int
    paid: Sequence[str]
    """The recipient of every transfer to the pool."""

    @property
    def measured(self) -> range:
        """The heights of the full blocks that a rate is about."""
        return range(self.first + WARMING, self.last + 1)

    @property
    def head(self) -> int:
        """The newest block, an empty one."""
        return self.last + CONFIRMATIONS

    def with_pool(self, count: int) -> "BusyChain":
        """Return the chain as it looks to whoever has only so many addresses of the pool."""
        pool = self.pool[:count]
        known = frozenset(pool)
        return replace(self, pool=pool, paid=[each for each in self.paid if each in known])


def addresses(count: int, seed: int) -> list[str]:
    """Return addresses that nobody holds the key of."""
    source = random.Random(seed)
    return [f"0x{source.randbytes(20).hex()}" for _ in range(count)]


@asynccontextmanager
async def busy_chain(blocks: int = BLOCKS) -> AsyncIterator[BusyChain]:
    """Start anvil, fill so many blocks and those to warm up with, yield it, stop it."""
    port = free_port()
    command = [
        # A session of its own, as PostgreSQL's and as each service's under systemd: Linux shares
        # the processors out among them, and a node has as many threads as it likes.
        *("setsid", str(ANVIL), "--host", HOST, "--port", str(port), "--silent", "--no-mining"),
        *("--balance", "1000000", "--gas-limit", "60000000", "--order", "fifo"),
    ]
    url = f"http://{HOST}:{port}"
    async with process(command), attached(url) as chain, aiohttp.ClientSession() as http:
        await chain.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - JSON
        token = await chain.deploy("TestToken", chain.payer, TOKEN_SUPPLY_UNITS)
        await chain.rpc.call("evm_setAutomine", False)  # noqa: FBT003 - JSON
        # Of a signed transaction anvil works out the sender anew whenever it serves the block:
        # 200 of them take it 40 ms, ten times what reading one takes here.
        await chain.rpc.call("anvil_impersonateAccount", chain.payer)
        first = int(await chain.rpc.call("eth_blockNumber"), 16) + 1
        pool = addresses(POOL, seed=1)
        full = WARMING + blocks
        paid = await _fill(http, url, chain.payer, token, pool, blocks=full)
        await chain.mine(CONFIRMATIONS)
        last = first + full - 1
        yield BusyChain(url, int(chain.identity), token, pool, first, last, paid)


async def _fill(
    http: aiohttp.ClientSession,
    url: str,
    payer: str,
    token: str,
    pool: Sequence[str],
    *,
    blocks: int,
) -> list[str]:
    source = random.Random(2)
    strangers = addresses(2_000, seed=3)
    paid: list[str] = []
    nonce = 1  # the payer's first transaction made the token
    for _ in range(blocks):
        calls: list[tuple[str, list[Any]]] = []
        for position in range(TRANSACTIONS):
            ours = source.random() < 0.1
            to = source.choice(pool if ours else strangers)
            paid += [to] * ours
            calls.append(_payment(payer, token, to, nonce, is_token=position % 2 == 1))
            nonce += 1
        await _batch(http, url, calls)
        # In a batch of its own: anvil works on the calls of one side by side.
        await _batch(http, url, [("anvil_mine", ["0x1", "0x0"])])
    return paid


def _payment(
    payer: str, token: str, to: str, nonce: int, *, is_token: bool
) -> tuple[str, list[Any]]:
    fields = {"from": payer, "nonce": hex(nonce), "gasPrice": hex(10**11)}
    if is_token:
        data = call_data("transfer(address,uint256)", to, 1_000)
        fields |= {"to": token, "data": data, "gas": hex(100_000)}
    else:
        fields |= {"to": to, "value": hex(10**12), "gas": hex(21_000)}
    return "eth_sendTransaction", [fields]


async def _batch(
    http: aiohttp.ClientSession, url: str, calls: Sequence[tuple[str, list[Any]]]
) -> None:
    body = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(calls)
    ]
    async with http.post(url, json=body) as response:
        for answer in await response.json():
            assert "error" not in answer, answer
