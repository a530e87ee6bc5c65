"""A payout's bytes go to every node: one that says yes and forgets them keeps nothing back."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest

from tests.fakes.node import RpcFailure, serving, table
from tests.networks.tron.scripted_node import scripted
from watchers.network import BroadcastRejected, ChainWriter, NodeUnavailable
from watchers.networks.ethereum.writer import EthereumWriter
from watchers.networks.solana.writer import SolanaWriter
from watchers.networks.tron.writer import TronWriter
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
NOBODY = "http://127.0.0.1:9"
RAW = b"\x02\xc0"
WRITERS: dict[str, Callable[[Endpoints], ChainWriter]] = {
    "ethereum": lambda nodes: EthereumWriter(JsonRpc(nodes), 1, "ethereum"),
    "solana": lambda nodes: SolanaWriter(JsonRpc(nodes), "solana", {}),
    "tron": lambda nodes: TronWriter(nodes, "tron", lambda: 0),
}
SENDS = {"ethereum": "eth_sendRawTransaction", "solana": "sendTransaction"}
families = pytest.mark.parametrize("family", sorted(WRITERS))


class Nodes:
    """Nodes of one family, and how often each was handed the bytes."""

    def __init__(self, family: str, stack: AsyncExitStack) -> None:
        self.family, self.stack = family, stack
        self.urls: list[str] = []
        self._asked: list[list[object]] = []

    async def add(self, *, takes: bool) -> None:
        """Start one that says yes, or one that says no."""
        if self.family == "tron":
            no = {"result": False, "code": "SIGERROR", "message": "no"}
            answer = {"result": True} if takes else no
            tron = await self.stack.enter_async_context(scripted(broadcasthex=answer))
            self.urls.append(tron.url)
            self._asked.append(tron.asked)  # type: ignore[arg-type]
            return
        answers = {SENDS[self.family]: "0xab" if takes else RpcFailure(-32000, "no")}
        node = await self.stack.enter_async_context(serving(table(**answers)))
        self.urls.append(node.url)
        self._asked.append(node.calls)  # type: ignore[arg-type]

    def counts(self) -> list[int]:
        """Return how often each was asked."""
        return [len(each) for each in self._asked]


@asynccontextmanager
async def nodes_of(family: str) -> AsyncIterator[Nodes]:
    """Stop what was started in the end."""
    async with AsyncExitStack() as stack:
        yield Nodes(family, stack)


@families
async def test_every_node_is_handed_the_bytes_and_one_that_is_away_does_no_harm(
    family: str,
) -> None:
    """Whoever of them forgets what it took, another one has it."""
    async with nodes_of(family) as nodes:
        await nodes.add(takes=True)
        await nodes.add(takes=True)
        endpoints = Endpoints([nodes.urls[0], NOBODY, nodes.urls[1]])
        async with aclosing(WRITERS[family](endpoints)) as writer:
            await writer.broadcast(RAW)
        assert nodes.counts() == [1, 1]


@families
async def test_one_willing_node_is_enough_and_a_no_is_told_where_none_is_willing(
    family: str,
) -> None:
    """The words of one that declined; where none was heard it is trouble."""
    async with nodes_of(family) as nodes:
        await nodes.add(takes=False)
        async with aclosing(WRITERS[family](Endpoints([nodes.urls[0], NOBODY]))) as writer:
            with pytest.raises(BroadcastRejected, match="no"):
                await writer.broadcast(RAW)
        await nodes.add(takes=True)
        async with aclosing(WRITERS[family](Endpoints(nodes.urls))) as writer:
            await writer.broadcast(RAW)
        async with aclosing(WRITERS[family](Endpoints([NOBODY]))) as writer:
            with pytest.raises(NodeUnavailable):
                await writer.broadcast(RAW)
