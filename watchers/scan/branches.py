"""Another branch: whether it is believed, where it left ours, and taking our blocks back."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import Row

from gateway.db import CROSS_TENANT
from gateway.deposits import leaving
from gateway.deposits.service import Desk
from watchers import store
from watchers.clock import now
from watchers.network import Block, BlockRef
from watchers.pay import inclusion
from watchers.scan import blocks, strays
from watchers.scan.prefetch import Prefetch
from watchers.scan.reorg import FinalityBroken, Hysteresis
from watchers.scan.standing import shows
from watchers.scan.track import Track, heads_at
from watchers.scan.witnesses import votes
from watchers.store import Position

log = structlog.get_logger()


@dataclass(slots=True)
class Branches:
    """Weighs what contradicts our chain, and moves us over when it is believed."""

    track: Track
    prefetch: Prefetch
    hysteresis: Hysteresis = field(default_factory=Hysteresis)
    below: Hysteresis = field(init=False)
    """Doubts about what was final: a branch at the head has its own."""

    def __post_init__(self) -> None:
        self.below = Hysteresis(self.hysteresis.seconds)

    def settle(self) -> None:
        """Forget doubts: the chain builds on ours."""
        self.hysteresis.settle()

    async def weigh(self, block: Block) -> None:
        """Judge the block above our last one, which does not build on it."""
        said = await votes(
            self.track.witnesses, block.ref, self.track.position.hash, child=True
        )
        if self.hysteresis.believes(
            block.ref.height, block.ref.parent_hash, said, time.monotonic()
        ):
            await self.roll_back()

    async def contradicted(self, theirs: BlockRef, our_hash: str) -> None:
        """Judge another block at the height of one of ours.

        A node that is behind us has no say: it may never have seen our branch.
        """
        if self.track.tip.head < self.track.position.height:
            return
        said = await votes(self.track.witnesses, theirs, our_hash, child=False)
        if self.hysteresis.believes(theirs.height, theirs.hash, said, time.monotonic()):
            await self.roll_back()

    async def broken(self, theirs: BlockRef, our_hash: str) -> None:
        """Judge another final block where ours was final: once believed, it stops the network.

        Here a node that is behind us has a say: it calls its own branch final.
        """
        said = await votes(self.track.witnesses, theirs, our_hash, child=False)
        if self.below.believes(theirs.height, theirs.hash, said, time.monotonic()):
            raise await self._stopped(theirs.height)

    async def roll_back(self) -> None:
        """Walk back to the block that both chains share and take the rest off the books."""
        track, moment = self.track, now()
        await self.prefetch.discard()
        ancestor = await self._common_ancestor()
        target = replace(track.position, height=ancestor[0], hash=ancestor[1], halted=None)
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, track.position, target, moment.at)
            await blocks.orphan_blocks(session, track.network, target.height)
            desk = Desk(session, moment, track.public_url)
            await leaving.orphan(desk, track.network, target.height, heads_at(target))
            await strays.orphan(session, track.network, target.height)
            await inclusion.orphan(session, track.network, target.height, moment)
        log.warning(
            "rolled back",
            network=track.network,
            height=track.position.height,
            ancestor=target.height,
        )
        track.position = target
        self.settle()

    async def _stopped(self, height: int) -> FinalityBroken:
        """Stop the network, for the chain contradicts what was final; return what to raise."""
        track = self.track
        reason = track.position.halted or (
            f"{track.network}: block {height} was final and is no longer on the node's chain"
        )
        await self._halt(replace(track.position, halted=reason))
        return FinalityBroken(reason)

    async def _common_ancestor(self) -> tuple[int, str]:
        """Return height and hash of our highest block that still stands on the node's chain.

        Branches agree up to a point and never again, so it is found by halving.
        """
        track = self.track
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            final = await store.block_at_or_below(
                session, track.network, track.position.final_height
            )
            rows = await blocks.standing_above(
                session, track.network, track.position.final_height
            )
        if final is not None and await self._stands(final.height, final.hash):
            return await self._highest_standing((final.height, final.hash), rows)
        raise await self._stopped(track.position.final_height)

    async def _highest_standing(
        self, lowest: tuple[int, str], rows: Sequence[Row[int, str]]
    ) -> tuple[int, str]:
        """Look close to the tip first, where branches part; then halve what is left."""
        ours = [lowest, *((row.height, row.hash) for row in rows)]
        stands, falls, step = 0, len(ours), 1
        while (probe := len(ours) - step) > 0:
            if await self._stands(*ours[probe]):
                stands = probe
                break
            falls, step = probe, step * 2
        while falls - stands > 1:
            middle = (stands + falls) // 2
            if await self._stands(*ours[middle]):
                stands = middle
            else:
                falls = middle
        return ours[stands]

    async def _stands(self, height: int, block_hash: str) -> bool:
        track = self.track
        return await shows(track.reader, height, block_hash, dense=track.dense)

    async def _halt(self, target: Position) -> None:
        """Write down that the network stands still: payouts of other processes see it too."""
        if target == self.track.position:
            return
        async with self.track.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, self.track.position, target, now().at)
        self.track.position = target
