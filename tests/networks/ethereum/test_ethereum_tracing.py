"""The eyes where a node offers call traces: asked by hash, never in vain, never believed blindly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.fakes.node import Answer, RpcFailure, serving, table
from tests.networks.ethereum.blocks import (
    BLOCK_HASH,
    CONTRACT,
    HEIGHT,
    TIME,
    TOKEN,
    assembled,
    call_of,
    frame,
    payment,
    transfer_log,
)
from watchers.network import Incomplete
from watchers.networks.ethereum.reader import EthereumReader
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def tracing(
    answer: Answer, *, offered: bool = True, logged_from: int | None = None
) -> AsyncIterator[tuple[EthereumReader, list[str]]]:
    """Yield a reader that may be told of traces, and the methods that it calls."""
    async with serving(answer) as node:
        rpc = JsonRpc(Endpoints([node.url]))
        reader = EthereumReader(
            rpc, 1, frozenset({TOKEN}), traces=lambda: offered, logged_from=logged_from
        )
        try:
            yield reader, node.calls
        finally:
            await reader.aclose()


INNER = payment(1, value=5, to=CONTRACT)
INNER_BLOCK, INNER_RECEIPTS = assembled(INNER)


def inner_node(**changes: Any) -> Answer:
    """Answer as a node that has a block with a payment inside, but for some methods."""
    answers = {
        "eth_getBlockByNumber": INNER_BLOCK,
        "eth_getBlockReceipts": INNER_RECEIPTS,
        "debug_traceBlockByHash": [{"result": call_of(INNER, frame(value=3))}],
    }
    return table(**answers | changes)


async def test_traces_are_asked_for_by_hash_where_they_are_offered() -> None:
    """The third question is about the same block; its transfers are in the answer."""
    asked: list[list[Any]] = []

    def answer(method: str, params: list[Any]) -> Any:
        asked.append([method, *params])
        return inner_node()(method, params)

    async with tracing(answer) as (reader, _):
        block = await reader.read(HEIGHT)
    assert asked[-1] == ["debug_traceBlockByHash", BLOCK_HASH, {"tracer": "callTracer"}]
    assert block.internal
    assert [(each.kind, each.units) for each in block.transfers] == [
        ("native", 5),
        ("internal", 3),
    ]


async def test_traces_are_not_asked_for_in_vain() -> None:
    """Not where they are not offered, nor for a block without transactions or with its own logs."""
    async with tracing(inner_node(), offered=False) as (reader, calls):
        assert not (await reader.read(HEIGHT)).internal
        assert "debug_traceBlockByHash" not in calls
    empty, none = assembled()
    quiet = inner_node(eth_getBlockByNumber=empty, eth_getBlockReceipts=none)
    async with tracing(quiet) as (reader, calls):
        assert (await reader.read(HEIGHT)).internal
        assert "debug_traceBlockByHash" not in calls
    async with tracing(quiet, logged_from=TIME) as (reader, calls):
        assert (await reader.read(HEIGHT)).internal
        assert "debug_traceBlockByHash" not in calls


@pytest.mark.parametrize(
    "traces",
    [
        None,
        [],
        [{"error": "execution timeout"}],
        [{"result": call_of(INNER) | {"value": "five"}}],
        RpcFailure(-32000, "block not found"),
        RpcFailure(-32601, "the method debug_traceBlockByHash does not exist"),
    ],
)
async def test_a_block_without_the_traces_it_should_have_is_incomplete(traces: Any) -> None:
    """Internal transfers are never lost because a node that offers traces has none just now."""
    async with tracing(inner_node(debug_traceBlockByHash=traces)) as (reader, _):
        with pytest.raises(Incomplete, match="trace"):
            await reader.read(HEIGHT)


async def test_case_05_no_token_is_asked_for_its_name() -> None:
    """What a contract calls itself is never read: two questions, both about the block."""
    fake = payment(1, logs=[transfer_log(9, address="0x" + "fa" * 20)])
    block, receipts = assembled(fake)
    answer = table(eth_getBlockByNumber=block, eth_getBlockReceipts=receipts)
    async with tracing(answer, offered=False) as (reader, calls):
        assert (await reader.read(HEIGHT)).transfers == ()
        assert calls == ["eth_getBlockByNumber", "eth_getBlockReceipts"]
