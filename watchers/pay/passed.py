"""Blocks that the scan passed before a payment was known, read again before its money goes back.

A copy of the database learns of what was signed after it only when the keystore answers; until
then the scan goes on, and passes the payment without knowing its hash. No node's word about a
missing transaction may give its money back, so our own blocks are read again: from the time the
payment was made to where the scan stood when it was taken over. On Tron that is done for all that
may expire; for an order on a nonce lane when it is taken back on a value that is not its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import structlog
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import made_at
from gateway.models import Attempt
from gateway.models import Block as BlockRow
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import Block, Incomplete, Refused
from watchers.pay import inclusion, withdrawing
from watchers.store import Position

log = structlog.get_logger()
MARGIN = timedelta(minutes=1)
"""How far our clock may be ahead of the blocks'."""
BLOCKS_PER_ROUND = 100
BLOCKS_MAX = 10_000
"""Six hours of Tron are 7,200 blocks."""
UNREAD = "the scan had passed it before it was known, and {reason}: needs a person"
EXIT = ", watchers settle {network} {order} --failed"
UNDATED = datetime.min.replace(tzinfo=UTC)
Standing = Row[int, str, str, datetime]


def fault(rows: Sequence[Standing], since: datetime, most: int) -> str | None:
    """Say why these blocks of ours, lowest first, do not prove that a payment is in none of them."""
    if not rows or rows[0].block_time > since:
        return "our blocks do not go back to when it was made"
    if len(rows) > most:
        return f"more than {most} blocks would have to be read again"
    if any(above.parent_hash != below.hash for below, above in pairwise(rows)):
        return "our blocks have a gap there"
    return None


@dataclass(slots=True)
class Passed:
    """Reads one network's passed blocks again, so many in a round."""

    name: str
    chain: Chain
    database: Database
    position: Position
    blocks_max: int = BLOCKS_MAX
    _wanted: dict[str, str] = field(default_factory=dict)
    """Attempts by hash: those that every block in `_read` was searched for."""
    _read: dict[int, str] = field(default_factory=dict)
    """Hashes of the blocks that hold none of them, by height."""
    _told: set[str] = field(default_factory=set)
    _refused: dict[str, str] = field(default_factory=dict)
    """Why our blocks do not tell of an order on a lane, by order; a new process looks again."""

    async def round(self) -> None:
        """Read on; what was found stands in its block, what stands nowhere may expire."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            known = await _waiting(session, self.name)
            waiting = [each for each in known if each.id not in self._told]
            rows = {each.id: await self._rows(session, each) for each in waiting}
        self._want(waiting)
        budget = BLOCKS_PER_ROUND
        for attempt in waiting:
            reason = fault(rows[attempt.id], _since(attempt), self.blocks_max)
            if reason is not None:
                await self._set_aside(attempt, UNREAD.format(reason=reason))
                continue
            unread = [
                each for each in rows[attempt.id] if self._read.get(each.height) != each.hash
            ]
            for row in unread[:budget]:
                await self._read_again(row)
            if len(unread) <= budget:
                await self._done(attempt)
            budget = max(0, budget - len(unread))

    async def stands_nowhere(self, order: Sequence[Attempt]) -> bool:
        """Read on for an order on a lane; tell whether no block that the scan had passed holds it.

        Raises `Refused` where our blocks cannot tell.
        """
        id_, latest = order[0].order_id, max(order, key=lambda each: each.passed_height or 0)
        if id_ in self._refused:
            raise Refused(self._refused[id_])
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            rows = await self._rows(session, latest)
        reason = fault(rows, _since(latest), self.blocks_max)
        if reason is not None:
            told = UNREAD.format(reason=reason) + EXIT.format(network=self.name, order=id_)
            self._refused[id_] = told
            raise Refused(told)
        self._want(order)
        unread = [each for each in rows if self._read.get(each.height) != each.hash]
        for row in unread[:BLOCKS_PER_ROUND]:
            if await self._read_again(row) & {each.tx_hash for each in order}:
                return False
        if len(unread) > BLOCKS_PER_ROUND:
            return False
        for attempt in order:
            await self._done(attempt)
        return True

    def _want(self, attempts: Sequence[Attempt]) -> None:
        """Search for these too; a block that was read without them is read again."""
        wanted = {each.tx_hash or "": each.id for each in attempts}
        if not wanted.keys() <= self._wanted.keys():
            self._wanted, self._read = self._wanted | wanted, {}

    async def _rows(self, session: AsyncSession, attempt: Attempt) -> Sequence[Standing]:
        """Return our blocks of the time in which it may have landed, with the one before."""
        standing = (BlockRow.network_id == self.name, BlockRow.orphaned.is_(False))
        first = select(BlockRow.height).where(*standing, BlockRow.block_time <= _since(attempt))
        query = (
            select(BlockRow.height, BlockRow.hash, BlockRow.parent_hash, BlockRow.block_time)
            .where(
                *standing,
                BlockRow.height
                >= first.order_by(BlockRow.height.desc()).limit(1).scalar_subquery(),
                BlockRow.height <= attempt.passed_height,
                BlockRow.block_time <= _until(attempt),
            )
            .order_by(BlockRow.height)
            .limit(self.blocks_max + 1)
        )
        return (await session.execute(query)).all()

    async def _read_again(self, row: Standing) -> set[str]:
        """Observe what a block of ours holds of what is searched for; return its hashes."""
        block = await self.chain.reader.read(row.height)
        if block.ref.hash != row.hash:
            raise Incomplete(f"block {row.height}: the node shows another one than ours")
        found = {each: id_ for each, id_ in self._wanted.items() if each in block.outcomes}
        if found:
            await self._include(block, found)
        self._read[row.height] = row.hash
        return set(found)

    async def _include(self, block: Block, found: dict[str, str]) -> None:
        """Observe what stands in one of our blocks, unless the scan has seen it meanwhile."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "adoption.taken")
            standing = await store.block_at_or_below(session, self.name, block.ref.height)
            if standing is None or standing.hash != block.ref.hash:
                raise Incomplete(f"block {block.ref.height} is no longer ours")
            own = await inclusion.own_hashes(session, self.name)
            live = {each: id_ for each, id_ in found.items() if each in own}
            await inclusion.observe(session, [block], live, now())

    async def _done(self, attempt: Attempt) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            row = await session.get_one(Attempt, attempt.id, with_for_update=True)
            row.passed_height = None

    async def _set_aside(self, attempt: Attempt, reason: str) -> None:
        """Say once what only a person can find out; it never expires."""
        self._told.add(attempt.id)
        log.error("not read again", order=attempt.order_id, tx=attempt.tx_hash, reason=reason)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await withdrawing.say(session, attempt.withdrawal_id or "", reason, now())


async def _waiting(session: AsyncSession, network: str) -> Sequence[Attempt]:
    query = select(Attempt).where(
        Attempt.network_id == network,
        Attempt.state == "signed",
        Attempt.passed_height.is_not(None),
        Attempt.nonce_value.is_(None),
    )
    return (await session.scalars(query.order_by(Attempt.id))).all()


def _since(attempt: Attempt) -> datetime:
    """Return from when on it may stand in a block: nothing is signed before its order's id is made."""
    if attempt.nonce_value is not None:
        made = made_at(attempt.order_id)
        return UNDATED if made is None else made - MARGIN
    made = datetime.fromtimestamp(int(attempt.intent["timestamp_ms"]) / 1000, UTC)
    return made - MARGIN


def _until(attempt: Attempt) -> datetime:
    """Return until when; on a lane nothing expires."""
    if attempt.nonce_value is not None:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.fromtimestamp(int(attempt.intent["expiration_ms"]) / 1000, UTC) + MARGIN
