"""The proxy's connection to Surfpool.

aiohttp rather than `devnet.chain.Rpc`: the proxy asks some thirty questions a second for as long
as the chain runs, and httpx took four times the processor for them.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from devnet.chain import result_of

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """JSON-RPC to Surfpool; trouble on the way is an `aiohttp.ClientError`."""

    url: str
    session: aiohttp.ClientSession

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result as parsed JSON; raise `RpcFault` for an error object."""
        return result_of(await self.answer(method, params))

    async def answer(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """Return the whole reply object, which holds `result` or `error`."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.session.post(
            self.url,
            data=msgspec.json.encode(body),
            headers={"content-type": "application/json"},
        ) as response:
            reply: dict[str, Any] = msgspec.json.decode(await response.read())
            return reply


@asynccontextmanager
async def upstream_at(url: str) -> AsyncIterator[Upstream]:
    """Connect to the Surfpool at `url` for the length of the block."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Upstream(url, session)
