"""HTTP to nodes: failover, the growing pause, and answers that are none."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.fakes.node import FakeNode, Raw, RpcFailure, serving, table
from watchers import rpc
from watchers.network import NodeUnavailable
from watchers.rpc import Endpoints, JsonRpc, RpcError

pytestmark = pytest.mark.anyio
NOBODY = "http://127.0.0.1:9"


class Clock:
    """Monotonic seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@asynccontextmanager
async def client(urls: Sequence[str], **options: Any) -> AsyncIterator[JsonRpc]:
    """Yield a JSON-RPC client and close it."""
    json_rpc = JsonRpc(Endpoints(urls, **options))
    try:
        yield json_rpc
    finally:
        await json_rpc.endpoints.aclose()


@asynccontextmanager
async def pair(first: Any, second: Any) -> AsyncIterator[tuple[FakeNode, FakeNode]]:
    """Yield two nodes."""
    async with serving(first) as one, serving(second) as two:
        yield one, two


async def test_a_result_has_the_type_that_was_asked_for() -> None:
    """The decoded result is returned, gzip or not."""
    async with serving(table(eth_chainId="0x1")) as node, client([node.url]) as json_rpc:
        assert await json_rpc.call("eth_chainId", [], str) == "0x1"
        assert await json_rpc.call("eth_chainId", [], str | None) == "0x1"  # type: ignore[arg-type]


async def test_null_is_a_result_only_where_it_was_allowed() -> None:
    """Null for a caller who cannot take it is the node's fault."""
    async with serving(table(get=None)) as node, client([node.url]) as json_rpc:
        assert await json_rpc.call("get", [], str | None) is None  # type: ignore[arg-type]
        with pytest.raises(NodeUnavailable, match="get"):
            await json_rpc.call("get", [], str)


async def test_an_error_object_keeps_code_and_words() -> None:
    """The node's own refusal is told apart from its silence."""
    refusal = RpcFailure(-32000, "nonce too low")
    async with serving(table(send=refusal)) as node, client([node.url]) as json_rpc:
        with pytest.raises(RpcError) as caught:
            await json_rpc.call("send", [], str)
    assert (caught.value.code, caught.value.message) == (-32000, "nonce too low")


@pytest.mark.parametrize(
    "answer",
    [
        Raw(b"<html>maintenance</html>"),
        Raw(b'{"jsonrpc":"2.0","id":1,"result":"0x'),
        Raw(b'{"jsonrpc":"2.0","id":1}'),
        Raw(b'{"jsonrpc":"2.0","id":1,"result":{"number":7}}'),
        Raw(b'{"jsonrpc":"2.0","id":77,"result":"0x1"}'),
        Raw(b"[]"),
        Raw(b"not gzip", headers=("content-encoding: gzip",)),
        Raw(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', status=429),
        Raw(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', status=500),
        Raw(b"moved", status=302, headers=("location: http://127.0.0.1:9/",)),
    ],
)
async def test_what_is_no_answer_is_never_a_result(answer: Raw) -> None:
    """HTML, torn JSON, another shape, another id, a bad status: asked elsewhere next."""
    async with pair(table(get=answer), table(get="0x2")) as (bad, good):
        async with client([bad.url, good.url]) as json_rpc:
            with_failover = []
            for _ in range(2):
                try:
                    with_failover.append(await json_rpc.call("get", [], str))
                except NodeUnavailable:
                    continue
        assert with_failover
        assert set(with_failover) == {"0x2"}


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body above the limit is refused, not kept in memory."""
    monkeypatch.setattr(rpc, "BODY_BYTES_MAX", 1000)
    async with serving(table(get="x" * 2000)) as node, client([node.url]) as json_rpc:
        with pytest.raises(NodeUnavailable, match="more than 1000 bytes"):
            await json_rpc.call("get", [], str)


async def test_a_dripping_node_meets_the_deadline() -> None:
    """The deadline is for the whole answer, whatever each read takes."""
    slow = Raw(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', seconds=5)
    async with (
        serving(table(get=slow)) as node,
        client([node.url], deadline_s=0.1) as json_rpc,
    ):
        with pytest.raises(NodeUnavailable, match="TimeoutError"):
            await json_rpc.call("get", [], str)


async def test_the_second_node_answers_for_the_first() -> None:
    """A node that is away is benched; the pause over, it is asked again."""
    clock = Clock()
    async with (
        serving(table(get="0x2")) as node,
        client([NOBODY, node.url], clock=clock) as json_rpc,
    ):
        endpoints = json_rpc.endpoints
        assert await json_rpc.call("get", [], str) == "0x2"
        assert (endpoints.requests, endpoints.failures) == (2, 1)
        assert await json_rpc.call("get", [], str) == "0x2"
        assert endpoints.requests == 3
        clock.now += 60
        assert await json_rpc.call("get", [], str) == "0x2"
        assert (endpoints.requests, endpoints.failures) == (5, 2)


async def test_all_nodes_away_names_each() -> None:
    """Nobody answered: the reason lists every node once."""
    async with client([NOBODY, "http://127.0.0.1:10"]) as json_rpc:
        with pytest.raises(NodeUnavailable, match=r"127\.0\.0\.1:9: .*; 127\.0\.0\.1:10: "):
            await json_rpc.call("get", [], str)


async def test_a_reason_never_shows_a_key_in_the_url() -> None:
    """Providers put the customer's key into path or user part."""
    async with client(["http://user:secret1@127.0.0.1:9/v3/secret2"]) as json_rpc:
        with pytest.raises(NodeUnavailable) as caught:
            await json_rpc.call("get", [], str)
    assert "127.0.0.1:9" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_worthless_answers_bench_for_longer_and_longer() -> None:
    """Answering at all does not wash a node clean of answers that were of no use."""
    clock = Clock()
    endpoints = Endpoints([NOBODY, "http://127.0.0.1:10"], clock=clock)
    pauses = []
    for _ in range(9):
        node = endpoints._nodes[0]
        node.praise()
        endpoints.rotate()
        pauses.append(node.benched_until - clock.now)
        clock.now = node.benched_until
    await endpoints.aclose()
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


async def test_two_good_answers_clear_a_node() -> None:
    """After use twice in a row the pauses start from the first again."""
    endpoints = Endpoints([NOBODY])
    node = endpoints._nodes[0]
    endpoints.rotate()
    endpoints.rotate()
    node.praise()
    assert node.failures == 2
    node.praise()
    assert node.failures == 0
    await endpoints.aclose()


async def test_a_call_everywhere_hears_every_node() -> None:
    """One takes it, one declines, one is away: all three are told."""
    no = RpcFailure(-32000, "already known")
    async with (
        pair(table(send="0xab"), table(send=no)) as (one, two),
        client([one.url, two.url, NOBODY]) as json_rpc,
    ):
        said = await json_rpc.call_everywhere("send", ["0x00"], str)
    assert said[0] == "0xab"
    assert isinstance(said[1], RpcError)
    assert isinstance(said[2], NodeUnavailable)


async def test_no_nodes_is_a_mistake_of_the_configuration() -> None:
    """It is named at once, not at the first call."""
    with pytest.raises(ValueError, match="urls"):
        Endpoints([])
