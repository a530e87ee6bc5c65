"""Our reader over nodes in memory that have one small block."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.fakes.node import Answer, serving, table
from tests.networks.ethereum.blocks import TOKEN, assembled, payment, transfer_log
from watchers.networks.ethereum.reader import EthereumReader, Finality
from watchers.rpc import Endpoints, JsonRpc

BLOCK, RECEIPTS = assembled(payment(1, value=5), payment(2, logs=[transfer_log(9)]))


@asynccontextmanager
async def reading(
    *answers: Answer, finality: Finality = "finalized"
) -> AsyncIterator[EthereumReader]:
    """Yield a reader over as many nodes as there are answers."""
    urls: list[str] = []
    async with _all(answers, urls.append):
        rpc = JsonRpc(Endpoints(urls))
        reader = EthereumReader(rpc, 1, frozenset({TOKEN}), finality)
        try:
            yield reader
        finally:
            await reader.aclose()


@asynccontextmanager
async def _all(
    answers: tuple[Answer, ...], started: Callable[[str], None]
) -> AsyncIterator[None]:
    if not answers:
        yield
        return
    async with serving(answers[0]) as node:
        started(node.url)
        async with _all(answers[1:], started):
            yield


def node(**changes: Any) -> Answer:
    """Answer as a node that has the block, but for some methods."""
    return table(**{"eth_getBlockByNumber": BLOCK, "eth_getBlockReceipts": RECEIPTS} | changes)
