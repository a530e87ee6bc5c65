"""A family's reader bound to one node: what this node says, and nobody else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from watchers.network import Block, BlockRef, ChainReader, NodeUnavailable, Tip, WrongChain
from watchers.prefetch import SlotLister
from watchers.providers.capabilities import INTERNAL, Found, merged
from watchers.providers.endpoint import Endpoint
from watchers.providers.endpoints import Endpoints

T = TypeVar("T")

PROBE_SECONDS = 60.0
"""How often a node's capabilities are asked for at most."""

Probe = Callable[[Endpoints], Awaitable[Found]]
"""Asks one node what it offers."""


@dataclass(slots=True)
class Witness:
    """`ChainReader` that asks one node only, and signs its blocks with the node's label.

    A node of another chain is unavailable here: that matters only where all nodes are such.
    """

    reader: ChainReader
    node: Endpoint
    endpoints: Endpoints
    clock: Callable[[], float]
    probe: Probe | None = None
    _probed_check: int = field(default=0, init=False)
    _probed_at: float | None = field(default=None, init=False)
    _probing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def check_identity(self) -> None:
        """Compare the node's chain with the pinned one; raise `WrongChain`."""
        await self.reader.check_identity()

    async def tip(self) -> Tip:
        """Return the node's head and final height."""
        tip = await _or_unavailable(self.reader.tip())
        self.node.head_height = tip.head
        return tip

    async def read(self, height: int) -> Block:
        """Return the first complete block at or above `height`, or raise `Incomplete`."""
        async with self._probing:
            await self._know_capabilities()
        block = await _or_unavailable(self.reader.read(height))
        if any(transfer.kind == INTERNAL for transfer in block.transfers):
            self.node.capabilities |= {INTERNAL}
        return replace(block, provider=self.node.label)

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block now standing at `height`."""
        return await _or_unavailable(self.reader.ref_at(height))

    async def produced(self, first: int, last: int) -> Sequence[int]:
        """List the slots that hold a block, where the family can; a hint, empty elsewhere."""
        if isinstance(self.reader, SlotLister):
            return await _or_unavailable(self.reader.produced(first, last))
        return ()

    async def balance(self, address: str, asset: str) -> int:
        """Return a balance in base units."""
        return await _or_unavailable(self.reader.balance(address, asset))

    async def aclose(self) -> None:
        """Close the connections of all nodes of the network."""
        await self.endpoints.aclose()

    async def _know_capabilities(self) -> None:
        """Ask what the node offers, at first and whenever its chain was checked again."""
        if self.probe is None or self.node.checks == self._probed_check > 0:
            return
        now = self.clock()
        if self._probed_at is not None and now < self._probed_at + PROBE_SECONDS:
            return
        self._probed_at = now
        found = await _or_unavailable(self.probe(self.endpoints))
        self.node.capabilities = merged(self.node.capabilities, found)
        if None not in found.values():
            self._probed_check = self.node.checks


async def _or_unavailable(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except WrongChain as wrong:
        raise NodeUnavailable(str(wrong)) from wrong
