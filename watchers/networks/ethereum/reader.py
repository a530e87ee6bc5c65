"""Eyes on an EVM chain: two calls per block, both about the same block hash."""

from dataclasses import dataclass, field
from typing import Literal

from watchers.network import Block, BlockRef, Incomplete, Tip, WrongChain
from watchers.networks.ethereum.address import SYSTEM, canonical
from watchers.networks.ethereum.decode import decode_block, decode_header
from watchers.networks.ethereum.node import Node
from watchers.networks.ethereum.wire import RawBlock, RawHeader, RawReceipt
from watchers.rpc import JsonRpc

Finality = Literal["finalized", "safe"] | int
"""A tag of the node, or a depth in blocks for chains that have no such tag."""


@dataclass(frozen=True, slots=True)
class EthereumReader:
    """`ChainReader` of one EVM chain.

    `tokens` are the listed contracts, lower-case. An answer that is absent or contradicts
    itself rotates to the next endpoint before `Incomplete` is raised.
    """

    rpc: JsonRpc
    chain_id: int
    tokens: frozenset[str]
    finality: Finality = "finalized"
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
        try:
            return decode_block(height, block, receipts, self.tokens)
        except Incomplete:
            self._node.distrust()
            raise

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
