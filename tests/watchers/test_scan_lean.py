"""Blocks that were read for some addresses, and then there were more of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import insert

from gateway.db import CROSS_TENANT
from gateway.models import FreeAddress
from tests.conftest import FreshDatabase
from tests.fakes.network import FakeReader
from tests.watchers.world import DUE_UNITS, NETWORK, World, pool_row, world
from watchers.interest import Interest, Overtaken
from watchers.network import Block, Incomplete
from watchers.scan.prefetch import RUN_BLOCKS_MAX

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Leaning(FakeReader):
    """Tells of a block what the interest is about, and nothing else."""

    lean: list[int] = field(default_factory=list)
    selective: bool = True

    async def read_for(self, height: int, interest: Interest) -> Block:
        """Leave out what others are paid."""
        self.lean.append(height)
        block, version = await self.read(height), interest.version()
        recipients = frozenset(each.recipient for each in block.transfers)
        ours = interest.perhaps(recipients)
        kept = [
            each
            for each in block.transfers
            if each.recipient in ours or each.tx_hash in interest.own
        ]
        return replace(
            block,
            transfers=tuple(kept),
            overtaken=Overtaken(interest, version, " ".join(recipients - ours)),
        )


@asynccontextmanager
async def lean_world(database: FreshDatabase) -> AsyncIterator[World]:
    """Yield a world whose node is read for our addresses only."""
    async with world(database) as w:
        chain = w.chain
        w.scanner.reader = Leaning(chain, chain.chain_id, frozenset({chain.token}))
        yield w


async def test_a_payment_is_seen_by_a_watcher_that_reads_for_its_addresses(
    database: FreshDatabase,
) -> None:
    """The same deposit, and strangers leave no trace."""
    async with lean_world(database) as w:
        await w.pay(await w.chain.fresh_address(), 7)
        await w.pay(w.assigned, DUE_UNITS)
        [deposit] = await w.deposits()
        assert (deposit.address, deposit.units) == (w.assigned, DUE_UNITS)
        assert isinstance(w.scanner.reader, Leaning)
        assert w.scanner.reader.lean


async def test_an_address_that_came_after_the_reading_loses_no_payment(
    database: FreshDatabase,
) -> None:
    """The block was read ahead for fewer addresses: it is not committed but read again."""
    async with lean_world(database) as w:
        late = await w.chain.fresh_address()
        await w.chain.mine(RUN_BLOCKS_MAX)
        await w.chain.pay(late, 5)
        await w.chain.mine(RUN_BLOCKS_MAX)
        first = w.scanner.position.height
        assert await w.scanner.step()
        assert w.scanner.position.height == first + RUN_BLOCKS_MAX
        w.scanner.book.pool.update([late])
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            id_ = await session.scalar(pool_row(2, late))
            await session.execute(
                insert(FreeAddress).values(network_id=NETWORK, address_id=id_)
            )
        with pytest.raises(Incomplete, match="before an address"):
            await w.scanner.step()
        while await w.scanner.step():
            continue
        [deposit] = await w.deposits()
        assert (deposit.address, deposit.units) == (late, 5)
