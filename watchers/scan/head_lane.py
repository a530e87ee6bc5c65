"""The head lane: what new blocks bring is seen here, and no money moves.

A block is processed only if its parent is the last block processed. That one rule finds gaps,
reorganisations and skipped slots; nothing else moves the cursor forward.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT
from gateway.deposits import service as deposits
from gateway.deposits.service import Desk
from gateway.invoices.standing import Confirmations
from gateway.models import Attempt
from watchers import store
from watchers.addresses import arrivals
from watchers.clock import now
from watchers.interest import Interest, SelectiveReader
from watchers.network import Block, Incomplete, Transfer
from watchers.pay import inclusion
from watchers.scan import inside, strays
from watchers.scan.branches import Branches
from watchers.scan.edge import dated, proved_block, proved_hits, proved_outcome
from watchers.scan.prefetch import Prefetch
from watchers.scan.reorg import linked
from watchers.scan.track import Track, heads_at


@dataclass(slots=True)
class HeadLane:
    """Carries the cursor towards the head, a run of linked blocks per transaction."""

    track: Track
    prefetch: Prefetch
    branches: Branches

    async def advance(self) -> bool:
        """Commit the next run, or weigh the block that contradicts ours; tell which it was."""
        track = self.track
        first = track.position.height + 1
        if track.tip.head < first:
            return False
        interest = await self._interest()
        read = await self.prefetch.run(track.reader, first, track.tip.head, interest)
        run = linked(track.position.hash, read)
        if not run:
            # What was read ahead may be older than the branch we are on, and a list of
            # produced slots may lie: only what the node says now contradicts us.
            await self.prefetch.discard()
            fresh = proved_block(await track.reader.read(first))
            run = linked(track.position.hash, [fresh])
            if not run:
                await self.branches.weigh(fresh)
                return False
        await track.know_the_node()
        self.branches.settle()
        try:
            await self._commit(run)
        except Incomplete:
            # What was read proves too little, or was read for fewer than we are now.
            await self.prefetch.discard()
            raise
        return True

    async def _interest(self) -> Interest | None:
        """Return for whom blocks are read; None where the family reads all of them whole."""
        track = self.track
        if not (isinstance(track.reader, SelectiveReader) and track.reader.selective):
            return None
        return track.book.interest(await inclusion.own_now(track.database, track.network))

    async def _commit(self, run: Sequence[Block]) -> None:
        """Move the cursor and record what the run brings, all of it or nothing."""
        track, moment = self.track, now()
        target = store.moved_to(track.position, run[-1].ref)
        dated_run = [dated(block, moment.at) for block in run]
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            known = track.currencies
            await store.advance_knowing(session, track.position, target, moment.at, known)
            await store.add_blocks(session, track.network, run, moment.at)
            desk = Desk(session, moment, track.public_url)
            await record(desk, track, dated_run, heads_at(target))
            await deposits.deepen(desk, track.network, heads_at(target))
        track.position = target


async def _ours(
    session: AsyncSession, track: Track, run: Sequence[Block], live: Iterable[str]
) -> frozenset[str]:
    """Return the hashes of our transactions in these blocks, those that have ended too."""
    wallets = track.book.wallets
    into = {
        each.tx_hash for block in run for each in block.transfers if each.recipient in wallets
    }
    if not into:
        return frozenset(live)
    ended = select(Attempt.tx_hash).where(
        Attempt.network_id == track.network, Attempt.tx_hash.in_(into)
    )
    return frozenset({*live, *await session.scalars(ended)})


async def record(
    desk: Desk, track: Track, run: Sequence[Block], heads: Confirmations
) -> list[Transfer]:
    """Write what these blocks bring us and what became of our transactions in them.

    It may be repeated for the same blocks. Returns the transfers to us.
    """
    session, network = desk.session, track.network
    own = await inclusion.own_hashes(session, network)
    hashes = await _ours(session, track, run, own)
    hits = [
        (block, hit)
        for block in run
        for hit in proved_hits(block, track.book.hits(block, hashes))
    ]
    hits = await inside.arriving(session, network, hits)
    found = await arrivals(session, network, track.currencies, track.book, hits)
    await deposits.record(desk, found, heads)
    await inside.from_cold(session, network, hits, desk.moment)
    beside = strays.found(run, track.book, hashes)
    for block, stray in beside:
        proved_hits(block, [stray])
    listed = {each.contract for each in track.currencies if each.contract is not None}
    await strays.record(session, network, beside, listed, desk.moment)
    for block in run:
        for tx_hash in [each for each in own if each in block.outcomes]:
            proved_outcome(block, block.outcomes[tx_hash])
    await inclusion.observe(session, run, own, desk.moment)
    return [hit for _, hit in hits]
