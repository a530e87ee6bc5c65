"""A fake chain that is rewritten below what was final, and the way out of it."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.models import Cursor
from tests.fakes.chain import FakeChain
from tests.fakes.network import FakeReader
from tests.watchers.world import PUBLIC_URL, World
from watchers.clock import now
from watchers.network import ChainReader
from watchers.scan import reopen
from watchers.scan.reopen import Order, Plan
from watchers.scan.reorg import FinalityBroken

ORDER = Order("ada", "a node had lied", PUBLIC_URL)


async def locate(reader: ChainReader, tx_hash: str) -> int | None:
    """Return in which block of its fake chain a reader shows a transaction."""
    assert isinstance(reader, FakeReader)
    await reader.tip()
    for block in reader.chain.blocks:
        if any(tx.tx_hash == tx_hash for tx, _ in block.transactions):
            return block.ref.height
    return None


async def halted(w: World) -> None:
    """Scan until the network stands still, whatever it takes to believe it."""
    with pytest.raises(FinalityBroken):
        for _ in range(4):
            await w.scan()
    w.scanner.locate = locate


async def rewritten(w: World, depth: int, *keep: str) -> None:
    """Let other blocks stand in place of the newest `depth` with these transactions; halt on it."""
    w.chain.fork(depth, keep=keep)
    await w.chain.mine()
    await halted(w)


async def reopened(w: World) -> Plan:
    """Look, do it, and go on as the next process would."""
    plan = await reopen.planned(w.scanner)
    await reopen.carry_out(w.owner, plan, ORDER, now())
    await begin_again(w)
    return plan


async def begin_again(w: World) -> None:
    """Begin as a new process, and read all there is."""
    await w.restart()
    w.scanner.locate = locate
    await w.scan()


async def cursor(w: World) -> Cursor:
    """Return the cursor as it stands."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        return (await session.scalars(select(Cursor))).one()


def doom(chain: FakeChain) -> None:
    """Let what waits fail on chain."""
    chain.pool = {name: replace(tx, doomed=True) for name, tx in chain.pool.items()}
