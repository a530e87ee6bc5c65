"""What the database itself refuses: a second row of one transfer, a cursor moved by the late."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, inspect
from sqlalchemy.exc import IntegrityError

from gateway.db import CROSS_TENANT
from gateway.models import Deposit
from tests.conftest import FreshDatabase
from tests.fakes.network import FakeReader
from tests.watchers.world import DUE_UNITS, world
from watchers import store
from watchers.clock import now
from watchers.store import LeaseLost

pytestmark = pytest.mark.anyio


async def test_a_transfer_has_one_row_whoever_writes_it(database: FreshDatabase) -> None:
    """Network, transaction, kind and ordinal are unique, whatever id and block say."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS)
        [row] = await w.deposits()
        values = {each.key: getattr(row, each.key) for each in inspect(Deposit).column_attrs}
        with pytest.raises(IntegrityError, match="network_id_tx_hash_kind_ordinal"):
            async with w.owner.unit_of_work(CROSS_TENANT) as session:
                again = {**values, "id": "dep_other", "block_hash": "0xother"}
                await session.execute(insert(Deposit).values(again))


@pytest.mark.parametrize("field", ["height", "hash", "final_height", "epoch"])
async def test_the_cursor_moves_only_from_where_it_was_believed_to_stand(
    database: FreshDatabase, field: str
) -> None:
    """Compare-and-swap on every part of the position: one that is wrong in any moves nothing."""
    async with world(database) as w:
        await w.chain.mine(5)
        await w.scan()
        stands = w.scanner.position
        wrong: Any = "0x" + "00" * 32 if field == "hash" else getattr(stands, field) - 1
        believed = replace(stands, **{field: wrong})
        target = replace(stands, height=stands.height + 1, hash="0x" + "11" * 32)
        with pytest.raises(LeaseLost):
            async with w.database.unit_of_work(CROSS_TENANT) as session:
                await store.advance(session, believed, target, now().at)
        async with w.database.unit_of_work(CROSS_TENANT) as session:
            await store.advance(session, stands, target, now().at)


async def test_a_node_that_is_behind_us_on_another_branch_has_no_say(
    database: FreshDatabase,
) -> None:
    """It may never have seen our branch: a process that begins with it waits and halts nothing."""
    async with world(database) as w:
        await w.chain.mine(4)
        await w.pay(w.assigned, DUE_UNITS)
        behind = copy.deepcopy(w.chain)
        behind.fork(3, keep=[])  # above its own final block
        behind.rewind(1)
        honest = w.scanner.reader
        await w.restart()
        w.scanner.reader = FakeReader(behind, behind.chain_id, frozenset({behind.token}))
        for _ in range(3):
            assert not await w.scanner.step()
        assert w.scanner.position.halted is None
        w.scanner.reader = honest
        await w.chain.mine()
        await w.scan()
        assert w.scanner.may_pay
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
