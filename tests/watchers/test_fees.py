"""The house's fee as the watcher books it, and what a transaction's explanation says of it."""

import pytest

from gateway.db import CROSS_TENANT
from gateway.deposits.arrival import Desk
from gateway.deposits.reversal import reverse
from tests.conftest import FreshDatabase
from tests.gateway.conftest import Clock
from tests.watchers.explaining import explained
from tests.watchers.test_explain import change
from tests.watchers.world import DUE_UNITS, world

pytestmark = pytest.mark.anyio


async def test_a_payment_is_credited_less_the_fee_and_explained(
    database: FreshDatabase,
) -> None:
    """The merchant's part and the house's are both named; reversed it is credited no more."""
    async with world(database) as w:
        await change(w, "UPDATE merchant SET processing_fee_basis_points = 150")
        tx_hash = await w.pay(w.assigned, DUE_UNITS)
        fee = DUE_UNITS * 150 // 10_000
        assert fee > 0
        assert await w.wallet("mer_1") == (DUE_UNITS - fee, 0)
        assert await w.wallet("revenue") == (fee, 0)
        assert await w.wallet("custody") == (-DUE_UNITS, 0)
        found = await explained(w, tx_hash)
        entries = {g["gate"]: g["evidence"] for g in found["gates"]}["ledger_entry"]["entries"]
        assert [(entry["account"], entry["units"]) for entry in entries] == [
            ("revenue", str(fee)),
            ("mer_1", str(DUE_UNITS - fee)),
        ]
        assert found["verdict"] == "credited"
        [deposit] = await w.deposits()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await reverse(Desk(session, Clock()(), "http://x"), deposit.id)
        assert await w.sum_is_zero()
        assert await w.wallet("mer_1") == await w.wallet("custody") == (0, 0)
        found = await explained(w, tx_hash)
        assert (found["answers"]["ledger_entry"], found["verdict"]) == ("no", "not_credited")
        await w.scan()
        await w.restart()
        await w.scan()
        assert await w.wallet("mer_1") == (0, 0), "a later sighting brings nothing back"
