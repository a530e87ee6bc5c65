"""The final lane: the only place where deposits become money and payouts end.

It posts what stands in final blocks, and only where the final block is the one we processed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.db import CROSS_TENANT
from gateway.deposits import service as deposits
from gateway.deposits.service import BATCH, Desk
from watchers import store
from watchers.clock import now
from watchers.network import BlockRef
from watchers.pay import settler
from watchers.scan import inside, strays
from watchers.scan.branches import Branches
from watchers.scan.ends import Ends
from watchers.scan.evidence import Evidence
from watchers.scan.finality import Finality, Ours
from watchers.scan.track import Track

STALL_SECONDS = 1800.0
"""Ethereum's blocks become final in steps of some six minutes."""


@dataclass(slots=True)
class FinalLane:
    """Carries the final height after the head, and credits what it passes."""

    track: Track
    branches: Branches
    finality: Finality = field(init=False)
    evidence: Evidence = field(init=False)
    ends: Ends = field(init=False)
    anchored: bool = False
    """Whether this process has seen the node agree about a block that was final."""
    stall_seconds: float = STALL_SECONDS
    history_read_at: Callable[[], datetime | None] = lambda: None
    """When the keystore's history was last read to its end; None where nobody reads it here."""
    _doubted: str | None = field(init=False, default=None)
    _moved_at: float = field(init=False)
    _head_then: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.finality = Finality(self.track)
        self.evidence = Evidence(self.track)
        self.ends = Ends(self.track)
        self._moved_at = time.monotonic()

    @property
    def waiting(self) -> str | None:
        """Why final money waits, in one sentence; None where it does not."""
        own = self._doubted or self.ends.waiting
        return self.finality.waiting or self.evidence.waiting or own or self._stall()

    def _stall(self) -> str | None:
        """Say so where blocks come for long and none of them becomes final."""
        head, final = self.track.tip.head, self.track.position.final_height
        if head <= self._head_then or time.monotonic() - self._moved_at < self.stall_seconds:
            return None
        return f"final: no block above {final} becomes final, the head is at {head}"

    async def anchor(self) -> bool:
        """Tell whether the node agrees about what was final before this process began."""
        if self.anchored:
            return True
        ours = await self._ours(self.track.position.final_height)
        if ours is not None:
            theirs = await self.track.reader.ref_at(ours.height)
            if theirs.hash != ours.hash:
                await self.branches.contradicted(theirs, ours.hash)
                return False
        self.anchored = True
        return True

    async def advance(self) -> None:
        """Move the final height and credit; a final block that is not ours is weighed."""
        track = self.track
        agreed = await self.finality.height()
        if agreed is None:
            return
        block = None
        if (height := min(agreed, track.position.height)) > track.position.final_height:
            block = await self._ours(height)
        if block is None or block.height <= track.position.final_height:
            await self._credit_left_over()
            return
        theirs = await self.finality.contradiction(Ours(block.height, block.hash))
        if theirs is not None:
            await self.branches.contradicted(theirs, block.hash)
        if theirs is not None or self.finality.waiting is not None:
            return
        if track.switches() != track.known_switches:
            return  # head and final came from different nodes: ask again
        await self._pass(block)

    async def _pass(self, block: BlockRef) -> None:
        track, moment = self.track, now()
        target = replace(track.position, final_height=block.height, halted=None)
        held = await self._held(block.height)
        # A node may lie about time: nothing expires before our own clock agrees.
        final_ms = int(min(block.time, moment.at).timestamp() * 1000)
        against = await self.ends.look(block.height, final_ms)
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, track.position, target, moment.at)
            desk = Desk(session, moment, track.public_url)
            await self._credit(desk, block.height, held)
            await strays.confirm(session, track.network, block.height, moment)
            await settler.settle(session, track.network, block.height, moment, against)
            await settler.expire(session, track.network, final_ms, moment, against)
        track.position = target
        self._moved_at, self._head_then = time.monotonic(), track.tip.head

    async def _credit_left_over(self) -> None:
        """Credit what came to stand below the final height: found late, or held back before.

        While the node contradicts what was final, nothing.
        """
        track, height = self.track, self.track.position.final_height
        if track.position.halted is not None:
            return
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            left = await store.has_pending(session, track.network, height)
        if not left:
            self.evidence.waiting = self._doubted = None
            return
        held = await self._held(height)
        moment = now()
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, track.position)
            await self._credit(Desk(session, moment, track.public_url), height, held)

    async def _held(self, height: int) -> frozenset[str]:
        """Return the final deposits that must not be credited yet."""
        track, read_at = self.track, self.history_read_at()
        own = await inside.doubtful(track.database, track.network, height, read_at)
        self._doubted = (
            f"{len(own)} deposits look like our own transactions: not credited" if own else None
        )
        return own | await self.evidence.held(height)

    async def _credit(self, desk: Desk, height: int, held: frozenset[str]) -> None:
        network, heads = self.track.network, self.track.heads
        while await deposits.confirm(desk, network, height, heads, held=held) == BATCH:
            continue

    async def _ours(self, height: int) -> BlockRef | None:
        """Return our highest standing block up to a height; None below the first one."""
        values = {"network": self.track.network, "height": height}
        rows = await self.track.database.ask(_OURS, values)
        return BlockRef(*rows[0]) if rows else None


_OURS = """
SELECT height, hash, parent_hash, block_time FROM block
WHERE network_id = %(network)s AND height <= %(height)s AND NOT orphaned
ORDER BY height DESC LIMIT 1
"""
