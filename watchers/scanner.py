"""The one scan loop of every family: read, link, match, and commit it all in one transaction.

A block is processed only if its parent is the last block processed. That one rule finds gaps,
reorganisations and skipped slots; nothing else moves the cursor.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.deposits import service as deposits
from gateway.deposits.service import Desk
from gateway.invoices.standing import Confirmations
from gateway.models import Currency
from watchers import settler, store
from watchers.addresses import AddressBook, arrivals
from watchers.clock import now
from watchers.network import Block, ChainReader, Incomplete, NodeUnavailable, Tip
from watchers.reorg import FinalityBroken, Hysteresis
from watchers.store import Position

NOTHING_SEEN = Tip(0, 0)
WINDOW = 8
"""Blocks of one transaction at most; they are committed strictly in order."""


def _never() -> int:
    return 0


@dataclass(slots=True)
class Scanner:
    """Carries one network's cursor forward. Not shared between tasks."""

    reader: ChainReader
    database: Database
    currencies: Sequence[Currency]
    book: AddressBook
    position: Position
    public_url: str
    dense: bool = True
    """Every height has a block; where slots may be skipped it is false."""
    switches: Callable[[], int] = _never
    """How often another endpoint began to answer."""
    known_switches: int = 0
    tip: Tip = NOTHING_SEEN
    hysteresis: Hysteresis = field(default_factory=Hysteresis)

    async def step(self) -> bool:
        """Process what the node has; return whether there is more right away.

        Raises `Incomplete` where the next block is not whole yet, `FinalityBroken` where a final
        block changed, `LeaseLost` where somebody else moved the cursor.
        """
        await self._know_the_node()
        self.tip = await self.reader.tip()
        run = await self._read_run()
        if run and run[0].ref.parent_hash != self.position.hash:
            await self._doubt(run[0])
            return False
        if run:
            self.hysteresis.settle()
            await self._commit(run)
        finalised = await self._finalise()
        return (bool(run) and self.position.height < self.tip.head) or finalised

    async def _know_the_node(self) -> None:
        """Check the chain again whenever another endpoint has begun to answer."""
        switches = self.switches()
        if switches != self.known_switches:
            await self.reader.check_identity()
            self.known_switches = switches

    async def _read_run(self) -> list[Block]:
        """Return the next linked blocks; the first may contradict the cursor, no later one may."""
        first = self.position.height + 1
        last = min(self.tip.head, first + WINDOW - 1)
        run: list[Block] = []
        async for read in self._reads(first, last):
            if isinstance(read, BaseException):
                if run and isinstance(read, (Incomplete, NodeUnavailable)):
                    break
                raise read
            if run and read.ref.parent_hash != run[-1].ref.hash:
                break
            run.append(read)
        return run

    async def _reads(self, first: int, last: int) -> AsyncIterator[Block | BaseException]:
        """Read side by side where heights are dense, else one block after the other."""
        if self.dense:
            heights = range(first, last + 1)
            reads = (self.reader.read(height) for height in heights)
            for read in await asyncio.gather(*reads, return_exceptions=True):
                yield read
            return
        height = first
        while height <= last:
            try:
                block = await self.reader.read(height)
            except (Incomplete, NodeUnavailable) as trouble:
                yield trouble
                return
            yield block
            height = block.ref.height + 1

    async def _commit(self, run: Sequence[Block]) -> None:
        moment = now()
        target = store.moved_to(self.position, run[-1].ref)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, self.position, target, moment.at)
            await store.require_currencies(session, self.position.network, self.currencies)
            await store.add_blocks(session, self.position.network, run, moment.at)
            own = await settler.own_hashes(session, self.position.network)
            hashes = frozenset(own)
            hits = [(block, hit) for block in run for hit in self.book.hits(block, hashes)]
            desk = Desk(session, moment, self.public_url)
            network = self.position.network
            found = await arrivals(session, network, self.currencies, self.book, hits)
            heads = self._heads(target)
            await deposits.record(desk, found, heads)
            await settler.observe(session, run, own, moment)
            await deposits.deepen(desk, self.position.network, heads)
        self.position = target

    def _heads(self, position: Position) -> Confirmations:
        return Confirmations({position.network: position.height})

    async def _finalise(self) -> bool:
        """Post what has become final; the final block must be the one we processed."""
        height = min(self.tip.final, self.position.height)
        if height <= self.position.final_height:
            return False
        network = self.position.network
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            ours = await store.block_at_or_below(session, network, height)
        if ours is None or ours.height <= self.position.final_height:
            return False
        theirs = await self.reader.ref_at(ours.height)
        if theirs.hash != ours.hash:
            if self.hysteresis.believes(ours.height, theirs.hash, time.monotonic()):
                await self._roll_back()
            return False
        if self.switches() != self.known_switches:
            return False  # head and final came from different nodes: ask again
        moment = now()
        target = replace(self.position, final_height=ours.height)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, self.position, target, moment.at)
            desk = Desk(session, moment, self.public_url)
            await self._post(session, desk, ours.height)
            # A node may lie about time: nothing expires before our own clock agrees.
            final_ms = int(min(ours.block_time, moment.at).timestamp() * 1000)
            await settler.expire(session, network, final_ms, moment)
        self.position = target
        return False

    async def _post(self, session: AsyncSession, desk: Desk, height: int) -> None:
        heads = self._heads(self.position)
        while await deposits.confirm(desk, self.position.network, height, heads):
            continue
        await settler.settle(session, self.position.network, height, desk.moment)

    async def _doubt(self, block: Block) -> None:
        """Weigh a block that does not build on ours: it is believed only when it is seen to stand."""
        clock = time.monotonic()
        if self.hysteresis.believes(block.ref.height, block.ref.parent_hash, clock):
            await self._roll_back()

    async def _roll_back(self) -> None:
        """Walk back to the block that both chains share and take the rest off the books."""
        ancestor = await self._common_ancestor()
        network, moment = self.position.network, now()
        target = replace(self.position, height=ancestor.height, hash=ancestor.hash)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, self.position, target, moment.at)
            await store.orphan_blocks(session, network, ancestor.height)
            desk = Desk(session, moment, self.public_url)
            await deposits.orphan(desk, network, ancestor.height, self._heads(target))
            await settler.orphan(session, network, ancestor.height, moment)
        self.position = target
        self.hysteresis.settle()

    async def _common_ancestor(self) -> Position:
        height = self.position.height
        while True:
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                ours = await store.block_at_or_below(session, self.position.network, height)
            if ours is None or ours.height < self.position.final_height:
                raise FinalityBroken(
                    f"{self.position.network}: block {self.position.final_height} was final and "
                    "is no longer on the node's chain"
                )
            theirs = await self.reader.ref_at(ours.height)
            if theirs.hash == ours.hash:
                return replace(self.position, height=ours.height, hash=ours.hash)
            height = ours.height - 1
