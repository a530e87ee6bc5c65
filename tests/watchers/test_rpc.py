"""HTTP to nodes: failover, the growing pause, and answers that are none."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devnet.system.waiting import until
from tests.fakes.node import FakeNode, Raw, RpcFailure, serving, table
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


def told(request: dict[str, Any], result: Any) -> dict[str, Any]:
    """Return the answer to one request of a batch."""
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


async def _asked(node: FakeNode) -> bool | None:
    return bool(node.calls) or None


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
        Raw(
            gzip.compress(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}')[:30],
            headers=("content-encoding: gzip",),
        ),
        Raw(b"not gzip", headers=("content-encoding: gzip",)),
        Raw(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', status=429),
        Raw(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', status=500),
        Raw(b"moved", status=302, headers=("location: http://127.0.0.1:9/",)),
    ],
)
async def test_case_38_what_is_no_answer_is_asked_of_the_next_node(answer: Raw) -> None:
    """HTML, torn JSON, another shape, another id, a bad status: the caller never sees them."""
    async with (
        pair(table(get=answer), table(get="0x2")) as (bad, good),
        client([bad.url, good.url]) as json_rpc,
    ):
        assert await json_rpc.call("get", [], str) == "0x2"
        worse, better = json_rpc.endpoints.standing()
    assert (worse.failures, worse.state) == (1, "open")
    assert (better.failures, better.state) == (0, "closed")


async def test_an_endless_answer_is_cut() -> None:
    """A body above the limit is refused, not kept in memory."""
    async with (
        serving(table(get="x" * 2000)) as node,
        client([node.url], body_bytes_max=1000) as json_rpc,
    ):
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


async def test_the_node_that_answered_is_benched_not_the_preferred_one() -> None:
    """The caller found an answer worthless: by then another node may be the first choice."""
    clock = Clock()
    async with (
        pair(table(get="0x1"), table(get="0x2")) as (one, two),
        client([one.url, two.url], clock=clock) as json_rpc,
    ):
        endpoints = json_rpc.endpoints
        first, second = endpoints.labels
        endpoints.rotate()
        assert await json_rpc.call("get", [], str) == "0x2"
        clock.now += 60
        assert endpoints.preferred() == [first, second]
        endpoints.rotate()
        assert [each.failures for each in endpoints.standing()] == [1, 1]
        assert await json_rpc.call("get", [], str) == "0x1"


async def test_of_two_tasks_each_benches_its_own_node() -> None:
    """Answers that cross in time do not blame each other's nodes."""
    slow = Raw(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', seconds=0.2)

    async def worthless(json_rpc: JsonRpc) -> str:
        answer = await json_rpc.call("get", [], str)
        json_rpc.endpoints.rotate()
        return answer

    async with (
        pair(table(get=slow), table(get="0x2")) as (one, two),
        client([one.url, two.url]) as json_rpc,
    ):
        endpoints = json_rpc.endpoints
        late = asyncio.create_task(worthless(json_rpc))
        await until(lambda: _asked(one), "the first question")
        endpoints.node(endpoints.labels[0]).failed(0.0, endpoints.clock())
        assert await worthless(json_rpc) == "0x2"
        assert [each.failures for each in endpoints.standing()] == [1, 1]
        assert await late == "0x1"
        assert [each.failures for each in endpoints.standing()] == [2, 1]


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


async def test_case_37_a_batch_is_put_together_by_id() -> None:
    """Answers come in any order; each goes to its question."""

    def shuffled(requests: list[dict[str, Any]]) -> list[Any]:
        return [told(request, request["params"][0]) for request in reversed(requests)]

    async with serving(table()) as node, client([node.url]) as json_rpc:
        node.batch = shuffled
        assert await json_rpc.call_batch("get", [["a"], ["b"], ["c"]], str) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "batch",
    [
        lambda requests: [told(each, "x") for each in requests[:-1]],
        lambda requests: [told(requests[0], "x")] * len(requests),
        lambda requests: [told(each | {"id": each["id"] + 7}, "x") for each in requests],
        lambda requests: told(requests[0], "x"),
        lambda requests: [told(each, "x") for each in requests[:-1]] + [told(requests[-1], 7)],
    ],
    ids=["one missing", "one repeated", "other ids", "no list", "another shape"],
)
async def test_case_37_a_batch_that_is_not_whole_is_asked_of_the_next_node(batch: Any) -> None:
    """Not a single answer of it is used."""
    async with pair(table(), table()) as (bad, good):
        bad.batch = batch
        good.batch = lambda requests: [told(each, "right") for each in requests]
        async with client([bad.url, good.url]) as json_rpc:
            assert await json_rpc.call_batch("get", [[1], [2]], str) == ["right", "right"]


async def test_case_37_one_error_spoils_the_batch() -> None:
    """What the node refuses is the caller's to judge, as a whole."""

    def half(requests: list[dict[str, Any]]) -> list[Any]:
        error = {"code": -32000, "message": "busy"}
        return [told(requests[0], "x"), {"id": requests[1]["id"], "error": error}]

    async with serving(table()) as node, client([node.url]) as json_rpc:
        node.batch = half
        with pytest.raises(RpcError, match="busy"):
            await json_rpc.call_batch("get", [[1], [2]], str)


async def test_no_nodes_is_a_mistake_of_the_configuration() -> None:
    """It is named at once, not at the first call."""
    with pytest.raises(ValueError, match="urls"):
        Endpoints([])
