"""Which strays are struck off as a deposit comes: the very same, and no other beside it."""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace

import msgspec
import pytest

from gateway.db import CROSS_TENANT
from gateway.models import Stray
from tests.conftest import FreshDatabase
from tests.fakes.chain import JUNK, Move
from tests.fakes.network import FakeReader
from tests.watchers.test_strays import rows
from tests.watchers.world import currency_row, world
from watchers.network import Block
from watchers.scan.rescan import Rescan

pytestmark = pytest.mark.anyio

OTHER = "0x" + "0bad" * 10


@dataclass(slots=True)
class Parted(FakeReader):
    """Names payment and rest of one gain alike but for their kind, as Solana's reader does."""

    async def read(self, height: int) -> Block:
        """Give every stray the first place."""
        block = self.chain.block(height).seen(self.tokens)
        beside = [msgspec.structs.replace(each, ordinal=0) for each in block.strays()]
        return replace(block, strays=lambda: beside)


async def test_of_two_assets_in_one_transaction_the_listed_one_is_struck_off(
    database: FreshDatabase,
) -> None:
    """The other has its own place, and waits for its own listing."""
    async with world(database) as w:
        w.chain.state.add(w.chain.payer, OTHER, 10)
        w.chain.submit([Move(w.assigned, 5, JUNK), Move(w.assigned, 6, OTHER)])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        [height] = {each.block_height for each in await rows(w, Stray)}
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(currency_row("JUNK-ETHEREUM", JUNK, 6))
        await w.restart()
        listed = frozenset({w.chain.token, JUNK})
        w.scanner.reader = FakeReader(w.chain, w.chain.chain_id, listed)
        await Rescan(w.scanner, list[str]().append, asyncio.sleep).run(height, height)
        found = {each.asset: each.status for each in await rows(w, Stray)}
        assert found == {JUNK: "counted", OTHER: "confirmed"}


async def test_what_lies_beside_a_payment_stays_when_the_payment_comes_back(
    database: FreshDatabase,
) -> None:
    """Both have one hash and one place: after a fork the payment counts again, the rest does not."""
    async with world(database) as w:
        w.scanner.reader = Parted(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        paid = (
            Move(w.assigned, 5, w.chain.token),
            Move(w.assigned, 7, w.chain.token, "account"),
        )
        w.chain.submit(paid)
        await w.chain.mine()
        await w.scan()
        w.chain.fork(1)
        await w.chain.mine()
        for _ in range(2):  # back to the fork, and forward again
            await w.scan()
        [deposit] = await w.deposits()
        [stray] = await rows(w, Stray)
        assert (deposit.status, deposit.ordinal, stray.ordinal) == ("pending", 0, 0)
        assert (stray.kind, stray.status) == ("account", "pending")


async def test_a_payment_strikes_off_nothing_that_lay_beside_before(
    database: FreshDatabase,
) -> None:
    """Only what an address moves to itself brings home what it has beside its canonical account."""
    async with world(database) as w:
        for kind in ("account", ""):
            w.chain.submit([Move(w.assigned, 5, w.chain.token, kind)])
            await w.chain.mine(1 + w.chain.final_lag)
            await w.scan()
        assert Counter(each.status for each in await rows(w, Stray)) == {"confirmed": 1}
        assert [each.status for each in await w.deposits()] == ["confirmed"]
