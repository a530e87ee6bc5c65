"""Money that two ways find at the same time is counted once."""

from collections.abc import Sequence
from dataclasses import fields

import pytest

from devnet.anvil import AnvilChain
from devnet.contracts import cases
from tests.conftest import FreshDatabase
from tests.watchers.recon_world import counted
from tests.watchers.world import DUE_UNITS
from watchers.network import NATIVE
from watchers.reconcile.balances import Holding
from watchers.reconcile.credit import Credits, Found
from watchers.reconcile.rules import Move

pytestmark = pytest.mark.anyio


async def test_a_transfer_that_appears_while_its_difference_is_traced_is_not_credited_twice(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """The reconciler looks at our rows once more, under a lock, before it writes its own."""
    async with counted(database, chain) as w:
        forwarder = await chain.create(cases.fixed_forwarder(w.assigned))
        height = await w.height_of(await chain.pay(forwarder, DUE_UNITS))
        await w.bury()

        class Overtaken(Credits):
            async def trace(
                self, holding: Holding, height: int, units: int, moves: Sequence[Move]
            ) -> Found:
                found = await super().trace(holding, height, units, moves)
                await w.rescan_with_traces(found.height)
                return found

        plain = w.reconciler.credits
        overtaken = Overtaken(*(getattr(plain, each.name) for each in fields(plain)))
        overtaken.position = w.scanner.position
        holding = Holding(w.assigned, NATIVE)
        _, reason = await overtaken.credit(holding, height, DUE_UNITS)
        assert reason == "another transfer was found meanwhile"
        await w.settle()
        [deposit] = await w.deposits()
        assert (deposit.kind, deposit.status) == ("internal", "confirmed")
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
