"""A block whose traces no node can send stops nobody: once it is deep it is read without them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.settings import AssetSettings, NetworkSettings
from tests.fakes.node import Answer, RpcFailure, serving
from tests.networks.ethereum.blocks import CONTRACT, HEIGHT, assembled, call_of, frame, payment
from watchers.chain import Chain
from watchers.families import connect
from watchers.network import Incomplete
from watchers.providers.witness import STATE_BLOCKS_MIN, TRACE_FAILURES_MAX

pytestmark = pytest.mark.anyio

INNER = payment(1, value=5, to=CONTRACT)
BLOCK, RECEIPTS = assembled(INNER)
WHOLE: list[dict[str, Any]] = [{"result": call_of(INNER, frame(value=3))}]
TOO_SLOW: list[dict[str, Any]] = [{"error": "execution timeout"}]


def node(traces: list[Any], depth: int) -> Answer:
    """Answer as a node that traces outermost calls of anything, and whole blocks as given."""

    def answer(method: str, params: list[Any]) -> Any:
        match method:
            case "eth_chainId":
                return "0x1"
            case "eth_getBlockByNumber" if params[0] in {"latest", "finalized"}:
                return {**BLOCK, "number": hex(HEIGHT + depth), "transactions": []}
            case "eth_getBlockByNumber":
                return BLOCK
            case "eth_getBlockReceipts":
                return RECEIPTS
            case "debug_traceBlockByHash":
                return WHOLE if "tracerConfig" in params[1] else traces[0]
        raise RpcFailure(-32601, f"no {method}")

    return answer


@asynccontextmanager
async def watching(answer: Answer, *, traces: bool = True) -> AsyncIterator[Chain]:
    """Connect to the node as a watcher does."""
    async with serving(answer) as served:
        network = NetworkSettings(
            family="ethereum",
            display_name="Ethereum",
            identity="1",
            rpc_urls=[served.url],
            assets=[AssetSettings(code="ETH", decimals=18)],
            traces=traces,
        )
        chain = connect("ethereum", network, [])
        try:
            await chain.reader.check_identity()
            await chain.reader.tip()
            yield chain
        finally:
            await chain.endpoints.aclose()


async def test_a_deep_block_that_nobody_can_trace_is_read_without_traces() -> None:
    """After a few tries; it says that value inside contracts is not known, and payments count."""
    async with watching(node([TOO_SLOW], STATE_BLOCKS_MIN)) as chain:
        for _try in range(TRACE_FAILURES_MAX - 1):
            with pytest.raises(Incomplete, match="could not be traced"):
                await chain.reader.read(HEIGHT)
        block = await chain.reader.read(HEIGHT)
    assert not block.internal
    assert [each.units for each in block.transfers] == [5]


async def test_near_the_head_traces_are_waited_for() -> None:
    """A node that is late with them has them a moment later."""
    traces: list[Any] = [TOO_SLOW]
    async with watching(node(traces, STATE_BLOCKS_MIN - 1)) as chain:
        for _try in range(2 * TRACE_FAILURES_MAX):
            with pytest.raises(Incomplete, match="could not be traced"):
                await chain.reader.read(HEIGHT)
        traces[0] = WHOLE
        assert (await chain.reader.read(HEIGHT)).internal


async def test_traces_that_come_after_all_are_taken() -> None:
    """Failures of one block are forgotten when it was read whole."""
    traces: list[Any] = [TOO_SLOW]
    async with watching(node(traces, STATE_BLOCKS_MIN)) as chain:
        for _round in range(2):
            traces[0] = TOO_SLOW
            for _try in range(TRACE_FAILURES_MAX - 1):
                with pytest.raises(Incomplete, match="could not be traced"):
                    await chain.reader.read(HEIGHT)
            traces[0] = WHOLE
            assert (await chain.reader.read(HEIGHT)).internal


async def test_an_operator_may_do_without_traces() -> None:
    """`traces = false`: every block is read at once, as if no node offered them."""
    async with watching(node([TOO_SLOW], 0), traces=False) as chain:
        assert not (await chain.reader.read(HEIGHT)).internal
