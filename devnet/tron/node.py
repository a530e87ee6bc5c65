"""The node: an open block that transactions execute into, sealed blocks, and what is solid.

A transaction is executed when it is broadcast, as java-tron does in its pending session, and
keeps that result when the open block is sealed. Every sealed block names a state to which a
reorganisation can return.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from devnet.tron.blocks import GENESIS_MS, Block, seal
from devnet.tron.evm import LATEST, Evm
from devnet.tron.execution import execute
from devnet.tron.faults import Faults, Settings
from devnet.tron.genesis import found
from devnet.tron.receipt import Receipt
from devnet.tron.transaction import Transaction, reference
from devnet.tron.validation import Refused, check_envelope
from devnet.tron.world import World

CHECKPOINTS_KEPT = 512
"""Blocks whose states are remembered; far more than may be unsolidified."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """A state that can be read: the present one, or that of a sealed block."""

    world: World
    mark: str


@dataclass(frozen=True, slots=True)
class View:
    """What one tree of the API sees: blocks up to `top` and the state there."""

    top: Block
    state: State


@dataclass(slots=True)
class Node:
    """One chain. `clock` is Unix milliseconds; `solid_lag` is the distance of solid from head."""

    evm: Evm
    clock: Callable[[], int]
    solid_lag: int
    world: World = field(default_factory=World)
    blocks: list[Block] = field(default_factory=list)
    pending: list[Receipt] = field(default_factory=list)
    waiting: list[tuple[int, Transaction]] = field(default_factory=list)
    """Accepted transactions and the height from which they may be included."""
    faults: Faults = field(default_factory=Faults)
    settings: Settings = field(default_factory=Settings)
    located: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Transaction id to height and position."""
    skew_ms: int = 0
    heights: dict[bytes, int] = field(default_factory=dict)
    _recent: dict[bytes, bytes] = field(default_factory=dict)
    _checkpoints: dict[int, State] = field(default_factory=dict)
    _remembered: set[str] = field(default_factory=set)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Found the chain and seal its first two blocks, the second one at the present."""
        self.world = await found(self.evm)
        await self._close(seal(None, GENESIS_MS, ()), changed=True)
        await self.produce()

    @property
    def head(self) -> Block:
        """Return the newest block."""
        return self.blocks[-1]

    @property
    def solid(self) -> Block:
        """Return the newest block that no reorganisation replaces."""
        height = max(0, self.head.height - self.solid_lag)
        stalled = self.faults.solid_at
        return self.blocks[height if stalled is None else min(height, stalled)]

    def view(self, *, solid: bool) -> View:
        """Return what `wallet/` sees, pending transactions included, or `walletsolidity/`."""
        if solid:
            return View(self.solid, self._checkpoints[self.solid.height])
        return View(self.head, State(self.world, LATEST))

    def now_ms(self) -> int:
        """Return the time of the next block."""
        now = self.clock() + self.skew_ms
        return max(now, self.head.time_ms + 1) if self.blocks else now

    def receipt(self, transaction_id: str, top: Block) -> tuple[Block, Receipt] | None:
        """Find a transaction in a block up to `top`."""
        place = self.located.get(transaction_id)
        if place is None or place[0] > top.height:
            return None
        block = self.blocks[place[0]]
        return block, block.receipts[place[1]]

    async def submit(self, transaction: Transaction) -> None:
        """Accept a broadcast transaction or raise `Refused`."""
        async with self._lock:
            if self.faults.refuse:
                raise Refused(*self.faults.refuse)
            try:
                self._check(transaction)
                if self.faults.swallow:
                    self._remembered.add(transaction.id)
                elif self.faults.hold_blocks:
                    due = self.head.height + 1 + self.faults.hold_blocks
                    self.waiting.append((due, transaction))
                else:
                    await self._include(transaction)
            except Refused:
                if self.faults.remember_refused:
                    self._remembered.add(transaction.id)
                raise

    def _check(self, transaction: Transaction) -> None:
        known = self.located.keys(), self._remembered, self.pending_ids()
        check_envelope(
            transaction,
            head_ms=self.head.time_ms,
            recent=self._recent,
            is_known=any(transaction.id in ids for ids in known),
        )

    def pending_ids(self) -> set[str]:
        """Return the ids of accepted transactions that are in no block yet."""
        return {receipt.transaction.id for receipt in self.pending} | {
            transaction.id for _, transaction in self.waiting
        }

    async def _include(self, transaction: Transaction) -> None:
        receipt = await execute(transaction, self.world, self.evm, self.now_ms())
        if not self.settings.save_internal:
            receipt.internals = ()
        self.pending.append(receipt)

    async def produce(self) -> Block:
        """Seal the open block."""
        async with self._lock:
            return await self._produce()

    async def _produce(self) -> Block:
        due = [entry for entry in self.waiting if entry[0] <= self.head.height + 1]
        self.waiting = [entry for entry in self.waiting if entry not in due]
        for _, transaction in due:
            try:
                self._check(transaction)
                await self._include(transaction)
            except Refused as refusal:
                # A real node drops them as quietly; whoever sent them must look at the chain.
                log.info("dropped %s: %s", transaction.id, refusal)
        block = seal(self.head, self.now_ms(), tuple(self.pending))
        self.pending.clear()
        await self._close(block, changed=bool(block.receipts))
        return block

    async def _close(self, block: Block, *, changed: bool) -> None:
        self.blocks.append(block)
        self.heights[block.id] = block.height
        for position, receipt in enumerate(block.receipts):
            self.located[receipt.transaction.id] = (block.height, position)
        near = reference(block.id)
        self._recent[near["ref_block_bytes"]] = near["ref_block_hash"]
        if changed:
            state = State(self.world.copy(), await self.evm.mark())
        else:
            state = self._checkpoints[block.height - 1]
        self._checkpoints[block.height] = state
        self._checkpoints.pop(block.height - CHECKPOINTS_KEPT, None)

    async def reorganise(self, depth: int, *, drop: bool, delay: int) -> Block:
        """Replace the newest `depth` blocks by as many others.

        Their transactions, and pending ones, return `delay` blocks above the fork unless
        dropped. Raises `ValueError` for a depth that would replace a solid block.
        """
        async with self._lock:
            unsolid = self.head.height - self.solid.height
            if not 0 < depth <= unsolid:
                raise ValueError(f"depth {depth}; 1 to {unsolid} blocks are not solid")
            undone = [receipt for block in self.blocks[-depth:] for receipt in block.receipts]
            undone += self.pending
            self.pending.clear()
            await self._return_to(self.head.height - depth, undone)
            if not drop:
                due = self.head.height + 1 + delay
                self.waiting += [(due, receipt.transaction) for receipt in undone]
            for _ in range(depth):
                await self._produce()
            return self.head

    async def _return_to(self, height: int, undone: list[Receipt]) -> None:
        for block in self.blocks[height + 1 :]:
            del self.heights[block.id]
            del self._checkpoints[block.height]
            del self._recent[reference(block.id)["ref_block_bytes"]]
        del self.blocks[height + 1 :]
        for receipt in undone:
            self.located.pop(receipt.transaction.id, None)
        state = self._checkpoints[height]
        self.world = state.world.copy()
        await self.evm.return_to(state.mark)

    async def produce_every(self, seconds: float) -> None:
        """Seal a block each `seconds`, skipping beats that were missed, until cancelled."""
        loop = asyncio.get_running_loop()
        beat = loop.time()
        while True:
            beat = max(beat + seconds, loop.time())
            await asyncio.sleep(beat - loop.time())
            if not self.faults.paused:
                await self.produce()
