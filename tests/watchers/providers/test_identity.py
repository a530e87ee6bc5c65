"""No answer is believed before its node has shown the pinned chain, each time anew."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.fakes.node import FakeNode, Raw, serving, table
from watchers.network import NodeUnavailable, WrongChain
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
RIGHT, WRONG = "0x1", "0x5"


class Clock:
    """Monotonic seconds that pass when told."""

    now = 100.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def node_of(chain: str, **more: Any) -> Any:
    """Answer as a node of this chain."""
    return table(**{"chain": chain, "get": f"from {chain}"} | more)


async def identity(lone: Endpoints) -> None:
    """Pin the right chain."""
    served = await JsonRpc(lone).call("chain", [], str)
    if served != RIGHT:
        raise WrongChain(f"chain {served}")


@asynccontextmanager
async def pinned(*answers: Any) -> AsyncIterator[tuple[JsonRpc, list[FakeNode], Clock]]:
    """Yield a client of nodes that give these answers."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(serving(answer)) for answer in answers]
        clock = Clock()
        endpoints = Endpoints([node.url for node in nodes], clock=clock)
        stack.push_async_callback(endpoints.aclose)
        endpoints.pin(identity)
        yield JsonRpc(endpoints), nodes, clock


async def test_case_35_a_node_of_another_chain_is_refused_and_the_others_go_on() -> None:
    """It is asked for its chain once and never for anything else."""
    async with pinned(node_of(WRONG), node_of(RIGHT)) as (rpc, (wrong, right), clock):
        for _ in range(3):
            assert await rpc.call("get", [], str) == "from 0x1"
            clock.now += 1000
        refused, good = rpc.endpoints.standing()
    assert wrong.calls == ["chain"]
    assert right.calls == ["chain", "get", "get", "get"]
    assert (refused.state, good.state) == ("refused", "closed")
    assert refused.refused == "chain 0x5"


async def test_case_35_where_all_nodes_serve_another_chain_the_process_ends() -> None:
    """`WrongChain` is what the command turns into one line and exit code 1."""
    async with pinned(node_of(WRONG), node_of("0x7")) as (rpc, _, _clock):
        for _ in range(2):
            with pytest.raises(WrongChain, match=r"chain 0x5; .*chain 0x7"):
                await rpc.call("get", [], str)


async def test_case_35_a_node_is_checked_again_after_every_bench() -> None:
    """What stood behind the address before says nothing about what stands there now."""
    async with pinned(node_of(RIGHT), node_of(RIGHT)) as (rpc, (first, _), clock):
        await rpc.call("get", [], str)
        first.answer = node_of(RIGHT, get=Raw(b"<html>"))
        assert await rpc.call("get", [], str) == "from 0x1"
        first.answer = node_of(WRONG)
        clock.now += 60
        assert await rpc.call("get", [], str) == "from 0x1"
        assert rpc.endpoints.standing()[0].state == "refused"
    assert first.calls == ["chain", "get", "get", "chain"]


async def test_case_35_a_node_is_checked_again_behind_a_new_connection() -> None:
    """The first answer over it is not used before."""
    last = Raw(
        b'{"jsonrpc":"2.0","id":1,"result":"last of this connection"}',
        headers=("connection: close",),
    )
    async with pinned(node_of(RIGHT, get=last)) as (rpc, [node], _clock):
        await rpc.call("get", [], str)
        node.answer = node_of(WRONG)
        with pytest.raises(WrongChain):
            await rpc.call("get", [], str)


async def test_a_check_that_is_not_answered_is_no_verdict() -> None:
    """Silence benches; it neither accepts nor refuses a chain."""
    async with pinned(node_of(RIGHT)) as (rpc, [node], _clock):
        node.answer = table(chain=Raw(b"", status=500), get="early")
        with pytest.raises(NodeUnavailable):
            await rpc.call("get", [], str)
        node.answer = node_of(RIGHT)
        assert await rpc.call("get", [], str) == "from 0x1"
    assert node.calls == ["chain", "chain", "get"]


async def test_a_broadcast_goes_to_nodes_of_the_chain_only() -> None:
    """The others are told apart in the answers."""
    async with pinned(node_of(WRONG), node_of(RIGHT)) as (rpc, (wrong, _), _clock):
        said = await rpc.call_everywhere("get", [], str)
    assert isinstance(said[0], NodeUnavailable)
    assert said[1] == "from 0x1"
    assert wrong.calls == ["chain"]
