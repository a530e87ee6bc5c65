"""Tokens in an account that no sweep reaches, of an asset that is listed only later: one row each."""

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
from watchers.network import Block, Transfer
from watchers.scan.ration import ROWS_PER_DAY
from watchers.scan.rescan import Rescan

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Beside(FakeReader):
    """Tells of accounts as Solana does: of a listed token alone whether it is the canonical one."""

    async def read(self, height: int) -> Block:
        """Call what is not listed a mere token, at the place that it would have as an account."""
        block = self.chain.block(height).seen(self.tokens)
        beside = [self._told(each) for each in block.strays()]
        return replace(block, strays=lambda: beside)

    def _told(self, stray: Transfer) -> Transfer:
        listed = stray.asset in self.tokens
        return stray if listed else msgspec.structs.replace(stray, kind="token")


async def test_tokens_beside_the_canonical_account_that_are_listed_later_have_one_row(
    database: FreshDatabase,
) -> None:
    """No row asks to list what is listed; each names the way out, however full the day was."""
    async with world(database) as w:
        w.scanner.reader = Beside(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        w.chain.submit([Move(w.assigned, 7, JUNK, "account")] * ROWS_PER_DAY)
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        before = await rows(w, Stray)
        assert {each.reason for each in before} == {"asset_not_listed"}
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(currency_row("JUNK-ETHEREUM", JUNK, 6))
        await w.restart()
        listed = frozenset({w.chain.token, JUNK})
        w.scanner.reader = Beside(w.chain, w.chain.chain_id, listed)
        height, told = before[0].block_height, list[str]()
        for _ in range(2):
            await Rescan(w.scanner, told.append, asyncio.sleep).run(height, height)
            await w.chain.mine()
            await w.scan()
        found = Counter((each.reason, each.status) for each in await rows(w, Stray))
        assert found == {
            ("asset_not_listed", "counted"): ROWS_PER_DAY,
            ("account_not_canonical", "confirmed"): ROWS_PER_DAY,
        }
        assert await w.deposits() == []
