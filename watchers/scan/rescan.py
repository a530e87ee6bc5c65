"""Reads blocks again that were processed, and records what was missed.

It is safe beside the running watcher: a block counts only while it is the one that stands in our
own rows, the cursor is locked for that look, and identities are unique. No money moves here: the
final lane credits what came to stand below the final height.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT
from gateway.deposits.service import Desk
from gateway.models import Block as BlockRow
from gateway.models import Cursor, Deposit
from watchers.clock import now
from watchers.network import Block, Incomplete, NodeUnavailable
from watchers.scan.edge import dated
from watchers.scan.evidence import add_readers
from watchers.scan.head_lane import record
from watchers.scan.prefetch import Prefetch
from watchers.scan.track import Track

PROGRESS_SECONDS = 2.0
PATIENCE = 5
PAUSE_SECONDS = 1.0


class CannotRescan(Exception):
    """The command asks for what was never processed; the message is one line."""


@dataclass(slots=True)
class Found:
    """What was read again."""

    blocks: int = 0
    transfers: int = 0
    deposits: int = 0

    def table(self) -> str:
        """Return it as a person reads it."""
        return (
            f"blocks read       {self.blocks:>10}\n"
            f"transfers to us   {self.transfers:>10}\n"
            f"new deposits      {self.deposits:>10}"
        )


@dataclass(slots=True)
class Rescan:
    """Reads one range again. `tell` takes a line for people, now and then."""

    track: Track
    tell: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]]

    async def run(self, first: int, last: int) -> Found:
        """Read from `first` to `last`, both included; raise `CannotRescan` outside our blocks."""
        await self._require_processed(first, last)
        prefetch = Prefetch(self.track.dense)
        found, height, told = Found(), first, time.monotonic()
        try:
            while height <= last:
                run = await self._read(prefetch, height, last)
                run = [block for block in run if block.ref.height <= last]
                if not run:
                    break
                await self._record(run, found)
                height = run[-1].ref.height + 1
                if time.monotonic() >= told + PROGRESS_SECONDS:
                    told = time.monotonic()
                    done = 100 * (height - first) // (last - first + 1)
                    self.tell(
                        f"{done:>3} %  height {height - 1} of {last}, {found.deposits} new"
                    )
        finally:
            await prefetch.discard()
        return found

    async def _read(self, prefetch: Prefetch, first: int, last: int) -> Sequence[Block]:
        """Read the next run, waiting out a node's trouble a few times."""
        for _ in range(PATIENCE):
            try:
                return await prefetch.run(self.track.reader, first, last)
            except (Incomplete, NodeUnavailable) as trouble:
                self.tell(f"height {first}: {trouble}")
                await self.sleep(PAUSE_SECONDS)
        return await prefetch.run(self.track.reader, first, last)

    async def _record(self, run: Sequence[Block], found: Found) -> None:
        track, moment = self.track, now()
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            # The lock keeps the watcher from rolling these blocks back while we record them.
            lock = select(Cursor).where(Cursor.network_id == track.network).with_for_update()
            await session.execute(lock)
            standing = await _standing(session, track.network, run)
            for block in run:
                if block.ref.hash not in standing:
                    raise Incomplete(
                        f"block {block.ref.height} is {block.ref.hash} here and another one in "
                        "our rows: wait for the watcher, or ask another node"
                    )
            before = await _known(session, track.network, run)
            desk = Desk(session, moment, track.public_url)
            ours = [dated(block, moment.at) for block in run]
            transfers = await record(desk, track, ours, track.heads)
            after = await _known(session, track.network, run)
            await add_readers(session, run, after - before)
        found.blocks += len(run)
        found.transfers += len(transfers)
        found.deposits += len(after - before)

    async def _require_processed(self, first: int, last: int) -> None:
        track = self.track
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            lowest = (
                select(BlockRow.height)
                .where(BlockRow.network_id == track.network)
                .order_by(BlockRow.height)
                .limit(1)
            )
            begun = await session.scalar(lowest)
        if begun is None or not begun <= first <= last <= track.position.height:
            raise CannotRescan(
                f"{track.network}: heights {first} to {last} were not all processed, "
                f"those are {begun} to {track.position.height}"
            )


async def _standing(session: AsyncSession, network: str, run: Sequence[Block]) -> set[str]:
    query = select(BlockRow.hash).where(
        BlockRow.network_id == network,
        BlockRow.orphaned.is_(False),
        BlockRow.height.between(run[0].ref.height, run[-1].ref.height),
    )
    return set(await session.scalars(query))


async def _known(session: AsyncSession, network: str, run: Sequence[Block]) -> set[str]:
    query = select(Deposit.id).where(
        Deposit.network_id == network,
        Deposit.block_hash.in_([block.ref.hash for block in run]),
        Deposit.status != "reorged",
    )
    return set(await session.scalars(query))
