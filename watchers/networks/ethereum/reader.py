"""Eyes on an EVM chain: two or three calls per block, all about the same block hash.

A block is read whole, or for some addresses only where its node can tell the logs of a block and
the receipts of single transactions: `docs/decisions/0009-lean-catch-up.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from watchers.interest import Interest
from watchers.network import (
    Block,
    BlockRef,
    Incomplete,
    NodeUnavailable,
    Tip,
    Untraced,
    WrongChain,
)
from watchers.networks.ethereum.address import SYSTEM, canonical
from watchers.networks.ethereum.decode import decode_block, decode_header, value_is_logged
from watchers.networks.ethereum.lean import Survey, TooMuch, survey
from watchers.networks.ethereum.node import Node
from watchers.networks.ethereum.traces import Execution, executions
from watchers.networks.ethereum.wire import (
    RawBlock,
    RawHeader,
    RawPlacedLog,
    RawPlacedReceipt,
    RawReceipt,
    RawSealedBlock,
    RawTrace,
)
from watchers.rpc import BROKEN, JsonRpc

Finality = Literal["finalized", "safe"] | int
"""A tag of the node, or a depth in blocks for chains that have no such tag."""
TRACER = {"tracer": "callTracer"}


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class EthereumReader:
    """`ChainReader` of one EVM chain.

    `tokens` are the listed contracts, lower-case. `traces` tells whether the endpoint that
    answers now offers `debug_traceBlockByHash`. `logged_from` is the time of the chain's switch
    to logged value (unix seconds, EIP-7708), None while it has none. `logs` tells whether the
    endpoint offers logs by block hash and batches of receipts. An answer that is absent
    or contradicts itself rotates to the next endpoint before `Incomplete` is raised.
    """

    rpc: JsonRpc
    chain_id: int
    tokens: frozenset[str]
    finality: Finality = "finalized"
    traces: Callable[[], bool] = _never
    logged_from: int | None = None
    logs: Callable[[], bool] = _never
    _node: Node = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for token in self.tokens:
            if token != canonical(token) or token == SYSTEM:
                raise ValueError(f"tokens: not a lower-case contract address: {token!r}")
        object.__setattr__(self, "_node", Node(self.rpc))

    async def check_identity(self) -> None:
        """Compare `eth_chainId`; raise `WrongChain` where it is another one."""
        served = await self._node.number("eth_chainId", [])
        if served != self.chain_id:
            raise WrongChain(f"chain id {served}, configured {self.chain_id}")

    async def tip(self) -> Tip:
        """Return head and final height; `Incomplete` where the node has no final block."""
        # The final block first: the head asked for afterwards can only be newer.
        final = None
        if isinstance(self.finality, str):
            final = (await self._header(self.finality)).height
        head = (await self._header("latest")).height
        if final is None:
            final = max(0, head - int(self.finality))
        return Tip(head=head, final=min(head, final))

    async def read(self, height: int) -> Block:
        """Return the block at `height` with proof of its completeness, or `Incomplete`."""
        block = await self._node.known(
            "eth_getBlockByNumber", [hex(height), True], RawBlock, f"block {height}"
        )
        # By hash, not by number: after a reorg between the calls this is null, never a mixture.
        receipts = await self._node.known(
            "eth_getBlockReceipts", [block.hash], list[RawReceipt], f"receipts of {height}"
        )
        traced = await self._traced(height, block)
        try:
            return decode_block(
                height, block, receipts, self.tokens, traced, logged_from=self.logged_from
            )
        except Incomplete:
            self._node.distrust()
            raise

    @property
    def selective(self) -> bool:
        """Every family member can; whether its node does is asked at each block."""
        return True

    async def read_for(self, height: int, interest: Interest) -> Block:
        """Return a block that is complete in what concerns the interest, or `Incomplete`.

        Read whole where traces are offered, where the chain logs value, and where nearly all
        of the block concerns us.
        """
        if not self.logs() or self.traces():
            return await self.read(height)
        block = await self._node.known(
            "eth_getBlockByNumber", [hex(height), True], RawSealedBlock, f"block {height}"
        )
        if value_is_logged(decode_header(block), self.logged_from):
            return await self.read(height)
        try:
            found = await self._surveyed(height, block, interest)
            return found.decode(await self._receipts(found), self.tokens)
        except TooMuch:
            return await self.read(height)
        except Incomplete:
            self._node.distrust()
            raise

    async def _surveyed(self, height: int, block: RawSealedBlock, interest: Interest) -> Survey:
        logs = await self._logs(height, block)
        try:
            return survey(height, block.opened(), logs, interest)
        except BROKEN as trouble:
            raise Incomplete(f"block {height}: {trouble}") from trouble

    async def _logs(self, height: int, block: RawSealedBlock) -> list[RawPlacedLog]:
        if block.is_empty:
            return []
        return await self._node.known(
            "eth_getLogs", [{"blockHash": block.hash}], list[RawPlacedLog], f"logs of {height}"
        )

    async def _receipts(self, found: Survey) -> list[RawPlacedReceipt]:
        asked = [[name] for name in found.hashes]
        return await self._node.known_many(
            "eth_getTransactionReceipt", asked, RawPlacedReceipt, "receipt"
        )

    async def _traced(self, height: int, block: RawBlock) -> list[Execution] | None:
        """Return how the block's transactions ran; None where that is not offered or needed."""
        if not self.traces() or value_is_logged(decode_header(block), self.logged_from):
            return None
        if not block.transactions:
            return []
        what = f"traces of {height}"
        try:
            traces = await self._node.known(
                "debug_traceBlockByHash", [block.hash, TRACER], list[RawTrace], what
            )
        except (Incomplete, NodeUnavailable) as trouble:
            raise Untraced(f"{what}: {trouble}") from trouble
        try:
            return executions(traces)
        except (Incomplete, ValueError) as trouble:
            self._node.distrust()
            raise Untraced(f"{what}: {trouble}") from trouble

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block at `height`, or `Incomplete`."""
        ref = await self._header(hex(height))
        if ref.height != height:
            self._node.distrust()
            raise Incomplete(f"asked for block {height}, got {ref.height}")
        return ref

    async def balance(self, address: str, asset: str) -> int:
        """Return the balance at the latest block, in wei or token units."""
        return await self._node.balance(address, asset)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.rpc.endpoints.aclose()

    async def _header(self, block: str) -> BlockRef:
        params = [block, False]
        what = f"block {block}"
        return decode_header(
            await self._node.known("eth_getBlockByNumber", params, RawHeader, what)
        )
