"""A client that fetches what the scanner fetches, and looks at nothing: the scanner's limit."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from benchmarks.busy_chain import BusyChain
from watchers.book import AddressKeys
from watchers.interest import Interest
from watchers.networks.ethereum.lean import survey
from watchers.networks.ethereum.wire import RawBlock, RawPlacedLog

HEADERS = {"content-type": "application/json"}


class _Answer(msgspec.Struct):
    result: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked about one block: so many bodies, one after the other."""

    bodies: Sequence[bytes]


async def requests_of(chain: BusyChain, *, whole: bool) -> list[Requests]:
    """Work out what the scanner asks about each block up to the head, the empty ones too.

    `whole` is the way of nodes without logs by block hash: the block and all its receipts.
    """
    keys = AddressKeys()
    keys.update(chain.pool)
    interest = Interest(keys.perhaps, lambda: keys.version)
    async with aiohttp.ClientSession() as session:
        found = []
        for height in range(chain.measured.start, chain.head + 1):
            body = _encoded("eth_getBlockByNumber", hex(height), True)  # noqa: FBT003 - JSON
            block = _result(await _post(session, chain.url, body), RawBlock)
            if whole:
                more = [_encoded("eth_getBlockReceipts", block.hash)]
            else:
                more = await _in_parts(session, chain.url, height, block, interest)
            found.append(Requests((body, *more)))
        return found


async def _in_parts(
    session: aiohttp.ClientSession, url: str, height: int, block: RawBlock, interest: Interest
) -> list[bytes]:
    """Return what is asked behind the block itself: its logs, and the receipts that matter."""
    if not block.transactions:
        return []
    logs = _encoded("eth_getLogs", {"blockHash": block.hash})
    found = _result(await _post(session, url, logs), list[RawPlacedLog])
    wanted = survey(height, block, found, interest).hashes
    receipts = b",".join(_encoded("eth_getTransactionReceipt", each) for each in wanted)
    return [logs, b"[" + receipts + b"]"]


async def fetch(chain: BusyChain, requests: Sequence[Requests], at_once: int) -> float:
    """Ask about every block, so many at once; return full blocks per second."""
    left = iter(requests)

    async def client(session: aiohttp.ClientSession) -> None:
        for each in left:
            for body in each.bodies:
                await _post(session, chain.url, body)

    async with aiohttp.ClientSession() as session:
        begun = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(at_once)))
        return len(chain.measured) / (time.perf_counter() - begun)


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> bytes:
    async with session.post(url, data=body, headers=HEADERS) as response:
        return await response.read()


def _encoded(method: str, *params: Any) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def _result(body: bytes, kind: Any) -> Any:
    return msgspec.json.decode(msgspec.json.decode(body, type=_Answer).result, type=kind)
