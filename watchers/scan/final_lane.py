"""The final lane: the only place where deposits become money and payouts end.

It posts what stands in final blocks, and only where the final block is the one we processed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT
from gateway.deposits import service as deposits
from gateway.deposits.service import BATCH, Desk
from gateway.domain.moment import Moment
from gateway.models import Deposit
from watchers import store
from watchers.clock import now
from watchers.network import BlockRef
from watchers.pay import own_bytes, settler
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
    _elsewhere: str | None = field(init=False, default=None)
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
        own = self._elsewhere or self._doubted
        return self.finality.waiting or self.evidence.waiting or own or self._stall()

    @property
    def unsettled(self) -> str | None:
        """Why money does not go back, in one sentence: no reason to take deposits no more."""
        return self.ends.waiting

    def _stall(self) -> str | None:
        """Say so where blocks come for long and none of them becomes final."""
        head, final = self.track.tip.head, self.track.position.final_height
        if head <= self._head_then or time.monotonic() - self._moved_at < self.stall_seconds:
            return None
        return f"final: no block above {final} becomes final, the head is at {head}"

    async def anchor(self) -> bool:
        """Tell whether the node agrees about what was final, before this process began too."""
        if not await self._agrees_below():
            return False
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

    async def _agrees_below(self) -> bool:
        """Tell whether the node's final block is ours where it is lower than our own.

        A node that is only behind shows our block there. One whose chain was rewritten shows
        another, long before its head is above ours: what was final is in doubt at once.
        """
        track, self._elsewhere = self.track, None
        if track.tip.final >= track.position.final_height:
            return True
        ours = await self._ours(track.tip.final)
        if ours is None:
            return True
        theirs = await track.reader.ref_at(ours.height)
        if theirs.hash == ours.hash:
            self.branches.below.settle()
            return True
        self.anchored = False
        self._elsewhere = f"final: the node has another final block {ours.height} than ours"
        await self.branches.broken(theirs, ours.hash)
        return False

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
        await self.evidence.look(block.height)
        # A node may lie about time: nothing expires before our own clock agrees.
        final_ms = int(min(block.time, moment.at).timestamp() * 1000)
        against = await self.ends.look(block.height, final_ms)
        edited = own_bytes.by(track.verify)
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, track.position, target, moment.at)
            await self._credit(session, block.height, moment)
            await strays.confirm(session, track.network, block.height, moment)
            await settler.settle(
                session, track.network, block.height, moment, against, edited=edited
            )
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
            left = await _has_pending(session, track.network, height)
        if not left:
            self.evidence.waiting = self._doubted = None
            return
        await self.evidence.look(height)
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, track.position)
            await self._credit(session, height, now())

    async def _held(self, session: AsyncSession, height: int) -> frozenset[str]:
        """Return the final deposits that must not be credited yet.

        Asked under the cursor's lock: no rescan adds one behind it.
        """
        track, read_at = self.track, self.history_read_at()
        own = await inside.doubtful(session, track.network, height, read_at)
        self._doubted = (
            f"{len(own)} deposits look like our own transactions: not credited" if own else None
        )
        return own | await self.evidence.unproved(session, height)

    async def _credit(self, session: AsyncSession, height: int, moment: Moment) -> None:
        network, heads = self.track.network, self.track.heads
        held = await self._held(session, height)
        desk = Desk(session, moment, self.track.public_url)
        while await deposits.confirm(desk, network, height, heads, held=held) == BATCH:
            continue

    async def _ours(self, height: int) -> BlockRef | None:
        """Return our highest standing block up to a height; None below the first one."""
        values = {"network": self.track.network, "height": height}
        rows = await self.track.database.ask(_OURS, values)
        return BlockRef(*rows[0]) if rows else None


async def _has_pending(session: AsyncSession, network: str, height: int) -> bool:
    """Tell whether deposits in blocks up to `height` wait for their credit."""
    query = select(Deposit.id).where(
        Deposit.network_id == network,
        Deposit.status == "pending",
        Deposit.block_height <= height,
    )
    return await session.scalar(query.limit(1)) is not None


_OURS = """
SELECT height, hash, parent_hash, block_time FROM block
WHERE network_id = %(network)s AND height <= %(height)s AND NOT orphaned
ORDER BY height DESC LIMIT 1
"""
