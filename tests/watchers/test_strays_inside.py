"""A token that moved inside a contract and was listed later counts once, and is listed once."""

from dataclasses import dataclass, replace

import msgspec
import pytest

from gateway.db import CROSS_TENANT
from gateway.models import Stray
from tests.conftest import FreshDatabase
from tests.fakes.chain import JUNK, Move
from tests.fakes.network import FakeReader
from tests.watchers.explaining import explained
from tests.watchers.test_strays import rows
from tests.watchers.world import currency_row, world
from watchers.network import Block, Transfer
from watchers.networks.tron.inner import NEXT_VALUE

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Inside(FakeReader):
    """Tells what moved inside a contract as Tron does: unlisted, it is a token at another place."""

    async def read(self, height: int) -> Block:
        """Give the unlisted amounts inside contracts their places behind the logs."""
        block = self.chain.block(height).seen(self.tokens)
        beside = [_placed(each) for each in block.strays()]
        return replace(block, strays=lambda: beside)


def _placed(stray: Transfer) -> Transfer:
    if stray.kind != "internal":
        return stray
    return msgspec.structs.replace(stray, kind="token", ordinal=NEXT_VALUE + stray.ordinal)


async def test_an_amount_inside_a_contract_that_is_listed_later_is_struck_off(
    database: FreshDatabase,
) -> None:
    """The deposit has another kind and place than the stray; what nobody counts stays listed."""
    async with world(database) as w:
        w.chain.final_lag = 5
        w.scanner.reader = Inside(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        other = "0x" + "0bad" * 10
        w.chain.state.add(w.chain.payer, other, 9)
        moves = [Move(w.assigned, 9, JUNK, "internal"), Move(w.assigned, 9, other, "internal")]
        tx_hash = w.chain.submit([*moves, Move(w.free, 9, JUNK, "internal")])
        await w.chain.mine()
        await w.scan()
        assert len(await rows(w, Stray)) == 3
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(currency_row("JUNK-ETHEREUM", JUNK, 6))
        await w.restart()
        listed = frozenset({w.chain.token, JUNK})
        w.scanner.reader = Inside(w.chain, w.chain.chain_id, listed)
        w.chain.fork(1)
        await w.chain.mine(6)
        for _ in range(2):
            await w.scan()
        assert [each.kind for each in await w.deposits()] == ["internal", "internal"]
        left = [each for each in await rows(w, Stray) if each.status != "counted"]
        assert [(each.asset, each.address) for each in left] == [(other, w.assigned)]
        shown = (await explained(w, tx_hash))["transfers"]
        assert sorted(each["asset"] for each in shown if each["deposit_id"]) == sorted(
            [JUNK, JUNK, other]
        )
