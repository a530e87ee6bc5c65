"""One node answers a question from start to end; another one answers it all where that fails."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.fakes.node import Answer, FakeNode, Raw, RpcFailure, serving
from tests.networks.ethereum.blocks import (
    HEIGHT,
    PAYEE,
    SENDER,
    TOKEN,
    assembled,
    payment,
    transfer_log,
)
from watchers.network import Incomplete, NodeUnavailable, Tip, WrongChain
from watchers.networks.ethereum.capabilities import probe, reach
from watchers.networks.ethereum.reader import EthereumReader
from watchers.providers.capabilities import FINALIZED, RECEIPTS, TRACES
from watchers.providers.failover import SURVEY_SECONDS, FailoverReader, failover, lagging
from watchers.providers.witness import PROBE_SECONDS
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
BLOCK, RECEIPT_LIST = assembled(payment(1, value=5), payment(2, logs=[transfer_log(9)]))
TRACED = [
    {
        "txHash": sent["hash"],
        "result": {"type": "CALL", "from": SENDER, "to": PAYEE, "value": sent["value"]},
    }
    for sent in BLOCK["transactions"]
]
HTML = Raw(b"<html>busy</html>")


class Clock:
    """Monotonic seconds that pass when told."""

    now = 100.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def node(head: int = HEIGHT, chain: str = "0x1", **bent: Any) -> Answer:
    """Answer as a node of one block, but for some methods."""

    def answer(method: str, params: list[Any]) -> Any:
        found = bent.get(method)
        if isinstance(found, Exception):
            raise found
        if found is not None:
            return found
        if method == "eth_chainId":
            return chain
        if method == "eth_getBlockReceipts":
            return RECEIPT_LIST
        if method == "eth_getBlockByNumber" and params[0] in {"latest", "finalized"}:
            return BLOCK | {"number": hex(head)}
        if method == "eth_getBlockByNumber":
            return BLOCK if params[0] == hex(HEIGHT) else None
        raise RpcFailure(-32601, f"the method {method} does not exist")

    return answer


@asynccontextmanager
async def over(
    *answers: Answer, probed: bool = False, wanted: frozenset[str] = frozenset()
) -> AsyncIterator[tuple[FailoverReader, list[FakeNode], Clock]]:
    """Yield the eyes over nodes that give these answers."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(serving(answer)) for answer in answers]
        clock = Clock()
        endpoints = Endpoints([each.url for each in nodes], clock=clock)

        def build(lone: Endpoints, offers: Callable[[str], bool]) -> EthereumReader:
            rpc, tokens = JsonRpc(lone), frozenset({TOKEN})
            return EthereumReader(rpc, 1, tokens, traces=lambda: offers(TRACES))

        asking: dict[str, Any] = {"probe": probe, "reach": reach} if probed else {}
        reader = failover(endpoints, build, wanted=wanted, **asking)
        stack.push_async_callback(reader.aclose)
        yield reader, nodes, clock


async def test_a_block_names_the_node_that_served_it() -> None:
    """The label, without anything secret."""
    async with over(node()) as (reader, [only], _clock):
        block = await reader.read(HEIGHT)
    assert block.provider == only.url.removeprefix("http://")


@pytest.mark.parametrize(
    "broken",
    [HTML, [], None, RpcFailure(-32000, "busy")],
    ids=["html", "empty", "null", "error"],
)
async def test_case_32_a_read_that_fails_midway_starts_again_on_another_node(
    broken: Any,
) -> None:
    """The other node is asked for the block too: never half a block from each."""
    bent = RpcFailure(-32000, "null") if broken is None else broken
    async with over(node(eth_getBlockReceipts=bent), node()) as (reader, nodes, _clock):
        block = await reader.read(HEIGHT)
        assert block.provider == nodes[1].url.removeprefix("http://")
    for each in nodes:
        assert [call for call in each.calls if call != "eth_chainId"] == [
            "eth_getBlockByNumber",
            "eth_getBlockReceipts",
        ]


@pytest.mark.parametrize("absent", [{}, [], HTML, RpcFailure(-32000, "header not found")])
async def test_case_31_an_absent_block_is_asked_of_the_next_node(absent: Any) -> None:
    """Nothing advances on it."""
    async with over(node(eth_getBlockByNumber=absent), node()) as (reader, _, _clock):
        assert (await reader.read(HEIGHT)).ref.height == HEIGHT


async def test_case_31_what_no_node_has_is_incomplete() -> None:
    """And never an empty block; each node says so."""
    async with over(node(), node()) as (reader, nodes, _clock):
        with pytest.raises(Incomplete, match=r"does not have it; .*does not have it"):
            await reader.read(HEIGHT + 1)
        assert all("eth_getBlockByNumber" in each.calls for each in nodes)


async def test_silence_of_all_nodes_is_unavailable() -> None:
    """Trouble, told apart from a block that is not there yet."""
    async with over(node(eth_getBlockByNumber=HTML), node(eth_chainId=HTML)) as (reader, _, _c):
        with pytest.raises(NodeUnavailable):
            await reader.read(HEIGHT)


async def test_case_35_a_witness_on_another_chain_is_unavailable_and_the_others_go_on() -> None:
    """Only where every node serves another chain does the network stop."""
    async with over(node(chain="0x5"), node()) as (reader, _, _clock):
        await reader.check_identity()
        assert (await reader.read(HEIGHT)).ref.height == HEIGHT
        wrong, right = reader.witnesses.values()
        with pytest.raises(NodeUnavailable, match="chain id 5"):
            await wrong.read(HEIGHT)
        assert (await right.ref_at(HEIGHT)).height == HEIGHT
    async with over(node(chain="0x5"), node(chain="0x6")) as (reader, _, _clock):
        for ask in (reader.check_identity, reader.tip, lambda: reader.read(HEIGHT)):
            with pytest.raises(WrongChain, match=r"chain id 5.*chain id 6"):
                await ask()


async def test_a_witness_asks_its_own_node_only() -> None:
    """Whatever its trouble: no other node speaks for it."""
    async with over(node(), node(eth_getBlockReceipts=[])) as (reader, nodes, _clock):
        [_, second] = reader.witnesses.values()
        with pytest.raises(Incomplete):
            await second.read(HEIGHT)
        assert nodes[0].calls == []


async def test_case_30_a_node_far_behind_is_asked_last_until_it_has_caught_up() -> None:
    """A lagging first choice does not hold the network back."""
    async with over(node(head=HEIGHT - 5), node()) as (reader, nodes, clock):
        assert await reader.tip() == Tip(HEIGHT, HEIGHT)
        heads = [each.head_height for each in reader.endpoints.standing()]
        assert heads == [HEIGHT - 5, HEIGHT]
        nodes[0].answer = node(head=HEIGHT + 1)
        clock.now += SURVEY_SECONDS
        assert await reader.tip() == Tip(HEIGHT + 1, HEIGHT + 1)


def test_case_30_one_high_head_alone_makes_nobody_late() -> None:
    """Of three nodes the second highest is the measure: a liar convinces nobody."""
    assert lagging({"a": 100, "b": 99, "liar": 10**9}, 3) == frozenset()
    assert lagging({"a": 100, "b": 99, "late": 90}, 3) == {"late"}
    assert lagging({"a": 100, "late": 96}, 3) == {"late"}
    assert lagging({"a": 100}, 3) == frozenset()
    assert lagging({}, 3) == frozenset()


async def test_a_switch_of_nodes_is_counted() -> None:
    """What compares two answers has to know whether one node gave both."""
    async with over(node(), node()) as (reader, nodes, clock):
        await reader.read(HEIGHT)
        await reader.read(HEIGHT)
        assert reader.endpoints.switches == 1
        nodes[0].answer = node(eth_getBlockReceipts=[])
        await reader.read(HEIGHT)
        assert reader.endpoints.switches == 2
        clock.now += 60
        nodes[0].answer = node()
        await reader.read(HEIGHT)
        assert reader.endpoints.switches == 3


async def test_capabilities_are_found_by_asking() -> None:
    """A method that answers is offered, a refusal is not, silence is unknown."""
    async with over(
        node(debug_traceBlockByHash=TRACED),
        node(),
        node(debug_traceBlockByHash=HTML),
        probed=True,
    ) as (
        reader,
        _,
        _clock,
    ):
        for witness in reader.witnesses.values():
            await witness.read(HEIGHT)
        known = [set(each.capabilities) for each in reader.endpoints.standing()]
    assert known == [
        {RECEIPTS, TRACES, FINALIZED},
        {RECEIPTS, FINALIZED},
        {RECEIPTS, FINALIZED},
    ]


async def test_a_read_goes_to_a_node_that_offers_what_is_wanted() -> None:
    """Once it is known; the first choice otherwise."""
    offering = node(debug_traceBlockByHash=TRACED)
    async with over(node(), offering, probed=True, wanted=frozenset({TRACES})) as (
        reader,
        nodes,
        _clock,
    ):
        first, second = (each.url.removeprefix("http://") for each in nodes)
        assert (await reader.read(HEIGHT)).provider == first
        await reader.witnesses[second].read(HEIGHT)
        assert (await reader.read(HEIGHT)).provider == second


async def test_capabilities_are_asked_for_again_after_a_reconnect() -> None:
    """Another node may stand there; but not more often than once a minute."""
    async with over(node(debug_traceBlockByHash=TRACED), probed=True) as (
        reader,
        [only],
        clock,
    ):
        [lone] = reader.endpoints.alone().values()
        await reader.read(HEIGHT)
        assert lone.offers(TRACES)
        only.answer = node()
        with pytest.raises(Incomplete, match="traces"):
            await reader.read(HEIGHT)
        assert lone.offers(TRACES)
        clock.now += PROBE_SECONDS
        await reader.read(HEIGHT)
        assert not lone.offers(TRACES)


def full(head: int, *, archive: bool = False) -> Answer:
    """Answer as a node that traces its newest block, and old ones only where it is an archive."""
    newest = BLOCK | {"number": hex(head), "hash": "0x" + "ff" * 32}
    plain = node(head)

    def answer(method: str, params: list[Any]) -> Any:
        if method == "eth_getBlockByNumber" and params[0] in {"latest", "finalized"}:
            return newest
        if method != "debug_traceBlockByHash":
            return plain(method, params)
        if params[0] == newest["hash"]:
            return []
        if archive:
            return TRACED
        raise RpcFailure(-32000, "required historical state unavailable (reexec=128)")

    return answer


async def test_a_block_older_than_the_nodes_state_is_read_without_traces() -> None:
    """Catching up does not stop at it, and the block says that inner payments may be missing."""
    async with over(full(HEIGHT + 200), probed=True) as (reader, [only], _clock):
        await reader.tip()
        block = await reader.read(HEIGHT)
        assert (len(block.transfers), block.internal) == (2, False)
        asked = only.calls.count("debug_traceBlockByHash")
        await reader.read(HEIGHT)
        assert only.calls.count("debug_traceBlockByHash") == asked
        assert reader.endpoints.offers(TRACES)


async def test_a_young_block_is_not_read_without_the_traces_that_are_offered() -> None:
    """There it is trouble of the node, and waited out."""
    async with over(full(HEIGHT + 5), probed=True) as (reader, _, _clock):
        await reader.tip()
        with pytest.raises(Incomplete, match="traces"):
            await reader.read(HEIGHT)


async def test_an_old_block_goes_to_the_node_that_still_traces_it() -> None:
    """The first choice is the one that dropped the state."""
    head = HEIGHT + 200
    async with over(full(head), full(head, archive=True), probed=True) as (
        reader,
        nodes,
        clock,
    ):
        await reader.tip()
        await reader.read(HEIGHT)
        clock.now += 5
        block = await reader.read(HEIGHT)
        assert (block.provider, block.internal) == (nodes[1].url.removeprefix("http://"), True)


async def test_requests_wait_for_the_budget() -> None:
    """Each node has its own; where one is spent another is asked."""
    slept: list[float] = []
    clock = Clock()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    async with serving(node()) as one, serving(node()) as two:
        endpoints = Endpoints(
            [one.url, two.url], requests_per_second=2, clock=clock, sleep=sleep
        )
        rpc = JsonRpc(endpoints)
        for _ in range(4):
            await rpc.call("eth_chainId", [], str)
        assert (len(one.calls), len(two.calls), slept) == (2, 2, [])
        await rpc.call("eth_chainId", [], str)
        assert slept == [0.5]
        await endpoints.aclose()


async def test_a_wait_beyond_the_deadline_is_refused_at_once() -> None:
    """Nothing queues up behind a budget that will not do."""
    clock = Clock()
    async with serving(node()) as only:
        endpoints = Endpoints([only.url], requests_per_second=0.01, deadline_s=30, clock=clock)
        await JsonRpc(endpoints).call("eth_chainId", [], str)
        with pytest.raises(NodeUnavailable, match="no budget"):
            await JsonRpc(endpoints).call("eth_chainId", [], str)
        assert len(only.calls) == 1
        await endpoints.aclose()


async def test_case_38_a_node_that_asks_for_a_pause_gets_it() -> None:
    """429 with Retry-After: not one question before it is over, even without another node."""
    clock = Clock()
    async with serving(node()) as only:
        endpoints = Endpoints([only.url], clock=clock)
        rpc = JsonRpc(endpoints)
        only.answer = lambda _m, _p: Raw(b"", status=429, headers=("retry-after: 20",))
        with pytest.raises(NodeUnavailable, match="429, come back in 20 s"):
            await rpc.call("eth_chainId", [], str)
        only.answer = node()
        clock.now += 19
        with pytest.raises(NodeUnavailable, match="left alone"):
            await rpc.call("eth_chainId", [], str)
        assert len(only.calls) == 1
        clock.now += 1
        assert await rpc.call("eth_chainId", [], str) == "0x1"
        assert endpoints.standing()[0].throttled == 1
        await endpoints.aclose()
