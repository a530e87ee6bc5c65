"""An order of the house that waits for a person ends as one of a withdrawal does."""

import argparse
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from gateway.db import CROSS_TENANT
from gateway.models import Attempt, AuditLog, Sweep
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.test_payouts import Desk, desk, keystore_house
from tests.watchers.world import ETH, NETWORK
from watchers.clock import now
from watchers.commands import sweeps
from watchers.pay import judged, own_bytes, settler
from watchers.pay.judged import Judgement, NotSettled
from watchers.sweep import keeper

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]
FEE, ORDER, SWEEP = 21_000, "hou_1", "swp_1"
NOW = datetime(2026, 5, 4, tzinfo=UTC)


async def landed(d: Desk, fee: int) -> None:
    """Keep a sweep whose transaction stands in a final block and took `fee`."""
    keeper.register(d.world.database, "http://localhost")
    tx_hash = await d.world.chain.pay(d.world.hot, 1)
    await d.bury()
    block = await d.payouts.chain.reader.read((await d.payouts.chain.reader.tip()).head - 4)
    assert tx_hash in block.outcomes
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        session.add_all([
            Sweep(
                id=SWEEP, network_id=NETWORK, currency_id=ETH, address=d.world.assigned,
                pool_index=0, destination=d.world.hot, units=1, since=NOW, reason="-",
                state="moving", steps=1, cost_units=0, returned_units=0, order_id=ORDER,
                created_at=NOW, updated_at=NOW,
            ),
            Attempt(
                id="att_h", order_id=ORDER, network_id=NETWORK, purpose="sweep", sender="0xpool",
                intent={"family": "ethereum", "asset": "native", "units": "1"}, raw=b"-",
                tx_hash=tx_hash, state="included", success=True, broadcasts=1, created_at=NOW,
                block_height=block.ref.height, block_hash=block.ref.hash, payer_spent_units=fee,
            ),
        ])  # fmt: skip


async def attempt(d: Desk) -> Attempt:
    """Return its transaction as it stands."""
    [found] = await d.attempts()
    return found


async def sweep(d: Desk) -> Sweep:
    """Return the sweep as it stands."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        return await session.get_one(Sweep, SWEEP)


async def judge(d: Desk, *, paid: bool) -> None:
    """Say how it ended, as an operator does."""
    said = Judgement(NETWORK, ORDER, paid, "tester", "the ledger was put right")
    await judged.settle(
        d.world.database, [d.payouts.chain.reader], said, now(), edited=own_bytes.nothing
    )


async def test_what_the_ledger_refused_of_the_house_is_ended_by_a_person(
    database: FreshDatabase,
    keystore_house: House,
) -> None:
    """Its sweep says so meanwhile; then the fee is booked once and the sweep goes on."""
    async with desk(database, keystore_house) as d:
        await landed(d, FEE)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text(REFUSING))
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            assert (
                await settler.settle(session, NETWORK, 10**6, now(), edited=own_bytes.nothing)
                == 1
            )
        assert ((await attempt(d)).state, (await attempt(d)).success) == ("included", None)
        assert (await sweep(d)).blocked_reason == settler.UNBOOKABLE
        with pytest.raises(NotSettled, match="the ledger refuses it"):
            await judge(d, paid=True)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("ALTER TABLE journal DROP CONSTRAINT refusing"))
        with pytest.raises(NotSettled, match="the very transfer"):
            await judge(d, paid=False)
        spent = (await d.world.wallet("expense"))[0]
        await judge(d, paid=True)
        assert (await attempt(d)).state == "succeeded"
        assert spent - (await d.world.wallet("expense"))[0] == FEE
        gone_on = await sweep(d)
        assert (gone_on.order_id, gone_on.blocked_reason) == (None, None)
        assert gone_on.cost_units == FEE
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(AuditLog).where(AuditLog.action == "order.settled_by_hand")
            [row] = (await session.scalars(query)).all()
        assert (row.actor, row.subject, row.merchant_id) == ("operator:tester", ORDER, None)
        assert row.before == {"status": "included", "blocked_reason": settler.UNBOOKABLE}
        assert row.after == {"status": "succeeded", "reason": "the ledger was put right"}
        with pytest.raises(NotSettled, match="nothing of it waits"):
            await judge(d, paid=True)


REFUSING = "ALTER TABLE journal ADD CONSTRAINT refusing CHECK (kind <> 'network_fee') NOT VALID"


@pytest.mark.parametrize("limit", ["-1", "0", "10001", "9" * 30, "1e3", "\u0661", ""])
def test_a_list_of_sweeps_has_a_length_that_a_person_can_read(
    limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is said before the database is asked."""
    parser = argparse.ArgumentParser()
    sweeps.add_arguments(parser)
    assert parser.parse_args(["ethereum", "--limit", "10000"]).limit == sweeps.LIMIT_MAX
    with pytest.raises(SystemExit):
        parser.parse_args(["ethereum", f"--limit={limit}"])
    assert "a number from 1 to 10000" in capsys.readouterr().err
