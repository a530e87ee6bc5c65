"""Reads blocks again that were processed, and records what was missed.

It is safe beside the running watcher: a block counts only while it is the one that stands in our
own rows, the cursor is locked for that look, and identities are unique. What contradicts a pending
deposit counts only where enough nodes say it. No money moves here: the final lane credits what
came to stand below the final height.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT
from gateway.deposits.leaving import NOT_SHOWN, take_off
from gateway.deposits.service import Desk
from gateway.domain.actor import Actor
from gateway.models import Block as BlockRow
from gateway.models import Cursor, Deposit
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import Block, Incomplete, NodeUnavailable
from watchers.scan.disputes import Dispute, believed, disputed, worded
from watchers.scan.edge import dated
from watchers.scan.evidence import add_readers
from watchers.scan.head_lane import record
from watchers.scan.prefetch import Prefetch
from watchers.scan.same import recognised
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
    changed: int = 0
    """Pending deposits that were another payment, or none, as enough nodes say."""

    def table(self) -> str:
        """Return it as a person reads it."""
        return (
            f"blocks read       {self.blocks:>10}\n"
            f"transfers to us   {self.transfers:>10}\n"
            f"new deposits      {self.deposits:>10}\n"
            f"deposits changed  {self.changed:>10}"
        )


@dataclass(slots=True)
class Rescan:
    """Reads one range again. `tell` takes a line for people, now and then.

    `person` is who asked for it: what is taken off the books is on record in that name.
    """

    track: Track
    tell: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]]
    person: str = "rescan"

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
        proved = await self._proved(run)
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
            desk = Desk(session, moment, track.public_url)
            run = await recognised(session, track.network, self._assets(), run)
            changed = await self._settle(desk, run, proved)
            before = await _known(session, track.network, run)
            ours = [dated(block, moment.at) for block in run]
            transfers = await record(desk, track, ours, track.heads)
            after = await _known(session, track.network, run)
            await add_readers(session, track.network, run)
        found.blocks += len(run)
        found.transfers += len(transfers)
        found.deposits += len(after - before)
        found.changed += changed

    async def _proved(self, run: Sequence[Block]) -> frozenset[Dispute]:
        """Ask every node about what these blocks say otherwise than our deposits; locks nothing."""
        async with self.track.database.unit_of_work(CROSS_TENANT) as session:
            run = await recognised(session, self.track.network, self._assets(), run)
            found = await disputed(session, self.track, run)
        proved = await believed(self.track, found)
        for dispute in found:
            enough = "" if dispute in proved else "; too few nodes say so, ask one more"
            self.tell(f"{worded(dispute)}{enough}")
        return proved

    def _assets(self) -> dict[str, str]:
        """Return the assets of currencies, by id."""
        return {each.id: asset_of(each) for each in self.track.currencies}

    async def _settle(
        self, desk: Desk, run: Sequence[Block], proved: frozenset[Dispute]
    ) -> int:
        """Take what was proved to be another payment, or none, off the books; return how many.

        Raises `Incomplete` where one node alone says what another payment it was.
        """
        found = await disputed(desk.session, self.track, run)
        for dispute in found:
            if dispute.theirs is not None and dispute not in proved:
                raise Incomplete(f"{worded(dispute)}: two nodes contradict each other")
        agreed = [dispute for dispute in found if dispute in proved]
        other = {each.deposit_id for each in agreed if each.theirs is not None}
        none = {each.deposit_id for each in agreed} - other
        await self._take_off(desk, other, "a payment was another one in its block", None)
        await self._take_off(desk, none, "a payment was not in its block", NOT_SHOWN)
        return len(other | none)

    async def _take_off(
        self, desk: Desk, ids: Collection[str], why: str, refused: str | None
    ) -> None:
        """Take these off the books and write it into the audit log."""
        if not ids:
            return
        track, session = self.track, desk.session
        query = select(Deposit).where(Deposit.id.in_(ids)).order_by(Deposit.id)
        rows = (await session.scalars(query.with_for_update())).all()
        await take_off(desk, track.network, rows, track.heads, why=why, refused=refused)
        for row in rows:
            await audit.record(
                session,
                Actor(f"operator:{self.person}", None, frozenset(), livemode=False),
                desk.moment,
                action="deposit.disproved",
                subject=row.id,
                merchant_id=row.merchant_id,
                before={"status": "pending", "units": str(row.units), "address": row.address},
                after={"status": row.status, "reason": why},
            )

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
