"""A family's reader bound to one node: what this node says, and nobody else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from watchers.interest import Interest, SelectiveReader
from watchers.network import (
    Block,
    BlockRef,
    ChainReader,
    Incomplete,
    NodeUnavailable,
    SlotLister,
    Tip,
    Untraced,
    WrongChain,
)
from watchers.providers.capabilities import INTERNAL, LOGS, TRACES, Found, leaving_out, merged
from watchers.providers.endpoint import Endpoint
from watchers.providers.endpoints import Endpoints

T = TypeVar("T")

PROBE_SECONDS = 60.0
"""How often a node's capabilities are asked for at most."""

WHOLE_SECONDS = 10.0
"""How long blocks are read whole after one that could not be proved with less."""

STATE_BLOCKS_MIN = 32
"""Blocks below its head whose state every node keeps: there, traces that fail are its trouble."""

TRACE_FAILURES_MAX = 3
"""Reads of one deep block that fail before it is read without traces."""
COUNTED_BLOCKS_MAX = 64

Probe = Callable[[Endpoints], Awaitable[Found]]
"""Asks one node what it offers."""
Reach = Callable[[Endpoints, int], Awaitable[bool | None]]
"""Asks one node whether it can still trace the block at a height; None where it did not say."""

log = structlog.get_logger()


@dataclass(slots=True)
class Witness:
    """`ChainReader` that asks one node only, and signs its blocks with the node's label.

    A node of another chain is unavailable here: that matters only where all nodes are such.
    Most nodes drop old state and cannot trace old blocks: those are read without traces, and
    say so (`Block.internal`). So is a block whose traces nobody can send (too long, too slow):
    anybody can pay for such a block, and it must not stop the network.
    """

    reader: ChainReader
    node: Endpoint
    endpoints: Endpoints
    clock: Callable[[], float]
    probe: Probe | None = None
    reach: Reach | None = None
    _traced_depth: int | None = field(default=None, init=False)
    _trace_failures: dict[int, int] = field(default_factory=dict, init=False)
    _whole_until: float | None = field(default=None, init=False)
    _probed_check: int = field(default=0, init=False)
    _probed_at: float | None = field(default=None, init=False)
    _probing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _less: SelectiveReader | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        # Looked at once: to ask an object for its protocol takes longer than to prove a receipt.
        self._less = self.reader if isinstance(self.reader, SelectiveReader) else None

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
        await self._know_capabilities()
        block = await _or_unavailable(self._read(height))
        if any(transfer.kind == INTERNAL for transfer in block.transfers):
            self.node.capabilities |= {INTERNAL}
        return replace(block, provider=self.node.label)

    @property
    def selective(self) -> bool:
        """Whether its family can prove a block with less."""
        return self._less is not None and self._less.selective

    async def read_for(self, height: int, interest: Interest) -> Block:
        """Return a block that is complete in what concerns the interest, or `Incomplete`.

        What cannot be proved with less is read whole, and after any trouble so is what comes in
        the next seconds.
        """
        await self._know_capabilities()
        if self._less is not None and self._reads_less(height):
            try:
                return await self._read_for(self._less, height, interest)
            except Incomplete as trouble:
                self._read_whole(trouble)
            except NodeUnavailable as trouble:
                self._read_whole(trouble)
                raise
        return await self.read(height)

    def _read_whole(self, trouble: Exception) -> None:
        if not self._reads_whole():
            log.info("reading whole", node=self.node.label, reason=str(trouble))
        self._whole_until = self.clock() + WHOLE_SECONDS

    def _reads_whole(self) -> bool:
        return self._whole_until is not None and self.clock() < self._whole_until

    def _reads_less(self, height: int) -> bool:
        if self._reads_whole():
            return False
        traced = self.endpoints.offers(TRACES) and not self.beyond_traces(height)
        return self.selective and self.endpoints.offers(LOGS) and not traced

    async def _read_for(
        self, reader: SelectiveReader, height: int, interest: Interest
    ) -> Block:
        with leaving_out(TRACES):
            block = await _or_unavailable(reader.read_for(height, interest))
        return replace(block, provider=self.node.label)

    def beyond_traces(self, height: int) -> bool:
        """Tell whether the node was seen to trace only blocks closer to its head."""
        head, depth = self.node.head_height, self._traced_depth
        return depth is not None and head is not None and head - height >= depth

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

    async def _read(self, height: int) -> Block:
        if not self.beyond_traces(height):
            try:
                block = await self.reader.read(height)
            except Incomplete as trouble:
                untraced = isinstance(trouble, Untraced) and self._untraceable(height)
                if not untraced and not await self._lost_traces(height):
                    raise
            else:
                self._trace_failures.pop(height, None)
                return block
        with leaving_out(TRACES):
            return await self.reader.read(height)

    def _untraceable(self, height: int) -> bool:
        """Count a failure of a block below the head; tell whether it is time to do without traces."""
        head = self.node.head_height
        deep = head is not None and head - height >= STATE_BLOCKS_MIN
        # A node that asks to be left alone, or that rests, says nothing about the block.
        resting = self.node.breaker.held(self.clock())
        if not deep or resting or not self.endpoints.offers(TRACES):
            return False
        if len(self._trace_failures) >= COUNTED_BLOCKS_MAX:
            self._trace_failures.clear()
        failures = self._trace_failures.get(height, 0) + 1
        self._trace_failures[height] = failures
        if failures == TRACE_FAILURES_MAX:
            log.warning("reading without traces", node=self.node.label, height=height)
        return failures >= TRACE_FAILURES_MAX

    async def _lost_traces(self, height: int) -> bool:
        """Tell whether traces alone are what the node lacks; it is remembered from which depth."""
        head = self.node.head_height
        if self.reach is None or head is None or not self.endpoints.offers(TRACES):
            return False
        depth = head - height
        if depth < STATE_BLOCKS_MIN or await self.reach(self.endpoints, height) is not False:
            return False
        self._traced_depth = min(depth, self._traced_depth or depth)
        return True

    async def _know_capabilities(self) -> None:
        """Ask what the node offers, at first and whenever its chain was checked again."""
        if self.probe is not None and not self._knows():
            async with self._probing:
                await self._ask_capabilities(self.probe)

    def _knows(self) -> bool:
        return self.node.identified and self.node.checks == self._probed_check

    async def _ask_capabilities(self, probe: Probe) -> None:
        if self._knows():
            return
        now = self.clock()
        if self._probed_at is not None and now < self._probed_at + PROBE_SECONDS:
            return
        self._probed_at, self._traced_depth = now, None
        found = await _or_unavailable(probe(self.endpoints))
        self.node.capabilities = merged(self.node.capabilities, found)
        if None not in found.values():
            self._probed_check = self.node.checks


async def _or_unavailable(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except WrongChain as wrong:
        raise NodeUnavailable(str(wrong)) from wrong
