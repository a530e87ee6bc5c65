"""What is asked of a node that reads lean, when it is read whole instead, and what then."""

from typing import Any

import pytest

from tests.fakes.node import FakeNode, RpcFailure, serving, table
from tests.networks.ethereum.blocks import HEIGHT, TIME, TOKEN, assembled, payment
from tests.networks.ethereum.leaning import (
    BLOCK,
    OURS,
    RECEIPTS,
    interest_in,
    lean_node,
    lean_reading,
)
from watchers.interest import Interest, SelectiveReader
from watchers.network import Incomplete, NodeUnavailable
from watchers.networks.ethereum.capabilities import probe
from watchers.networks.ethereum.measured import MeasuringReader
from watchers.networks.ethereum.reader import EthereumReader
from watchers.providers.capabilities import LOGS
from watchers.providers.failover import FailoverReader, failover
from watchers.providers.witness import WHOLE_SECONDS
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
ASKED = interest_in(OURS)
LEAN = ["eth_getBlockByNumber", "eth_getLogs", "4 receipts"]
WHOLE = ["eth_getBlockByNumber", "eth_getBlockReceipts"]
UNITS = [5, 500, 500, 500]


async def units(reader: SelectiveReader, interest: Interest = ASKED) -> list[int]:
    """Return what we are paid in the block."""
    block = await reader.read_for(HEIGHT, interest)
    return [each.units for each in block.transfers if each.recipient in OURS]


async def test_block_logs_and_the_receipts_that_matter_are_asked_for() -> None:
    """Three of five transactions pay us, and the last one shows where the block ends."""
    async with lean_node(BLOCK, RECEIPTS) as node, lean_reading(node) as reader:
        assert await units(reader) == UNITS
        assert node.calls == LEAN


async def test_of_an_empty_block_nothing_more_is_asked() -> None:
    """No transactions, no logs: the header says so."""
    async with lean_node(*assembled()) as node, lean_reading(node) as reader:
        assert (await reader.read_for(HEIGHT, ASKED)).transfers == ()
        assert node.calls == ["eth_getBlockByNumber"]


async def test_a_block_that_is_nearly_all_ours_is_read_whole() -> None:
    """More single receipts are no less work."""
    many = assembled(*(payment(n, value=1, to=OURS[0]) for n in range(70)))
    async with lean_node(*many) as node, lean_reading(node) as reader:
        assert len(await units(reader)) == 70
        assert node.calls[-2:] == WHOLE


@pytest.mark.parametrize("why", [{"traces": lambda: True}, {"logged_from": TIME}])
async def test_where_value_inside_is_told_the_block_is_read_whole(why: dict[str, Any]) -> None:
    """Traces are about every transaction, and so are logs of value."""
    traces = RpcFailure(-32000, "no state")
    offered = lean_node(BLOCK, RECEIPTS, debug_traceBlockByHash=traces)
    async with offered as node, lean_reading(node, **why) as reader:
        with pytest.raises(Incomplete):
            await reader.read_for(HEIGHT, ASKED)
        assert "eth_getLogs" not in node.calls


@pytest.mark.parametrize(
    "change",
    [
        {"eth_getLogs": []},
        {"eth_getLogs": None},
        {"eth_getLogs": RpcFailure(-32000, "unknown block")},
        {"eth_getTransactionReceipt": None},
    ],
    ids=["case 33: no logs", "null", "refused", "no receipt"],
)
async def test_what_the_node_does_not_know_is_incomplete(change: dict[str, Any]) -> None:
    """Empty is not an answer."""
    async with lean_node(BLOCK, RECEIPTS, **change) as node, lean_reading(node) as reader:
        with pytest.raises(Incomplete):
            await units(reader)


@pytest.mark.parametrize("sent", [[{"hash": "0x1"}] * 200, {"hash": "0x1"}, 5, "none"])
async def test_transactions_of_another_shape_are_incomplete(sent: Any) -> None:
    """They are opened last, and then they are as wrong as they would have been at first."""
    broken = BLOCK | {"transactions": sent}
    changes = {"eth_getBlockByNumber": broken}
    async with lean_node(BLOCK, RECEIPTS, **changes) as node, lean_reading(node) as reader:
        with pytest.raises(Incomplete, match=f"block {HEIGHT}"):
            await reader.read_for(HEIGHT, interest_in(OURS))


async def test_a_token_that_keeps_a_part_is_never_read_lean() -> None:
    """What others moved in the block tells what arrived here."""
    async with lean_node(BLOCK, RECEIPTS) as node:
        rpc = JsonRpc(Endpoints([node.url]))
        tokens = frozenset({TOKEN})
        reader = MeasuringReader(rpc, 1, tokens, logs=lambda: True, measured=frozenset({"0x"}))
        assert not reader.selective
        assert await units(reader) == UNITS
        assert node.calls == WHOLE
        await reader.aclose()


class Time:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds set."""
        return self.now


def over(node: FakeNode, clock: Time) -> FailoverReader:
    """Return the reader as a network has it, probe included."""
    endpoints = Endpoints([node.url], clock=clock)

    def build(lone: Endpoints, offers: Any) -> EthereumReader:
        return EthereumReader(JsonRpc(lone), 1, frozenset({TOKEN}), logs=lambda: offers(LOGS))

    return failover(endpoints, build, probe=probe)


def asked_of(node: FakeNode) -> list[str]:
    """Return what was asked since, without what shows the chain."""
    calls = [each for each in node.calls if each != "eth_chainId"]
    node.calls.clear()
    return calls


async def test_what_is_not_proved_lean_is_read_whole_for_a_while() -> None:
    """A node whose logs are worthless still has its receipts: nothing waits, nothing is lost."""
    clock = Time()
    async with lean_node(BLOCK, RECEIPTS, eth_chainId="0x1") as node:
        reader = over(node, clock)
        assert reader.selective
        assert await units(reader) == UNITS
        assert asked_of(node)[-3:] == LEAN
        honest = node.answer
        node.answer = lambda method, params: (
            [] if method == "eth_getLogs" else honest(method, params)
        )
        assert await units(reader) == UNITS
        assert asked_of(node)[-4:] == [*LEAN[:2], *WHOLE]
        assert await units(reader) == UNITS
        assert asked_of(node)[-2:] == WHOLE
        clock.now += WHOLE_SECONDS
        node.answer = honest
        assert await units(reader) == UNITS
        assert asked_of(node)[-1] == "4 receipts"
        await reader.aclose()


async def test_a_node_without_logs_by_hash_is_read_whole() -> None:
    """It is asked once whether it offers them."""
    refusal = RpcFailure(-32602, "blockHash is not supported")
    async with lean_node(BLOCK, RECEIPTS, eth_chainId="0x1", eth_getLogs=refusal) as node:
        reader = over(node, Time())
        assert await units(reader) == UNITS
        assert await units(reader) == UNITS
        assert asked_of(node).count("eth_getLogs") == 1
        await reader.aclose()


async def test_a_node_without_batches_is_read_whole() -> None:
    """It answers them with one error, or not at all."""
    async with lean_node(BLOCK, RECEIPTS, eth_chainId="0x1") as node:
        node.batch = lambda _: {"jsonrpc": "2.0", "id": None, "error": {"code": -32600}}
        reader = over(node, Time())
        assert await units(reader) == UNITS
        assert asked_of(node)[-2:] == WHOLE
        await reader.aclose()


async def test_a_batch_that_is_refused_later_stops_nothing() -> None:
    """A node that takes two questions at once, and not four: the next reading is a whole one."""
    async with lean_node(BLOCK, RECEIPTS, eth_chainId="0x1") as node:
        honest = node.batch
        assert honest is not None
        node.batch = lambda asked: honest(asked) if len(asked) < 3 else {"error": "too many"}
        reader = over(node, Time())
        with pytest.raises(NodeUnavailable):
            await units(reader)
        assert await units(reader) == UNITS
        assert asked_of(node)[-2:] == WHOLE
        await reader.aclose()


async def test_a_silent_node_is_unavailable_either_way() -> None:
    """Neither way makes an answer out of none."""
    async with serving(table()) as node:
        url = node.url
    node.url = url
    reader = over(node, Time())
    with pytest.raises(NodeUnavailable):
        await reader.read_for(HEIGHT, ASKED)
    await reader.aclose()
