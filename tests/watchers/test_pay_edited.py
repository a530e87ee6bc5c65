"""Withdrawals whose amounts somebody edited in the database: the ledger's own hold is what counts."""

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.pay.judged import Judgement, settle
from watchers.pay.settler import UNBOOKABLE

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


async def edit(d: Desk, withdrawal_id: str, assignment: str) -> None:
    """Set a column as the owner of the tables can, past every trigger."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("ALTER TABLE withdrawal DISABLE TRIGGER USER"))
        row = text(f"UPDATE withdrawal SET {assignment} WHERE id = :id")
        await session.execute(row, {"id": withdrawal_id})
        await session.execute(text("ALTER TABLE withdrawal ENABLE TRIGGER USER"))


async def pay(d: Desk) -> None:
    """Let everything be paid that can be."""
    for _ in range(3):
        await d.payouts.round()
        await d.rest()
        await d.bury()


@pytest.mark.parametrize(
    "assignment", ["units = units * 2", "units = units / 2", "fee_units = 10 ^ 18"]
)
async def test_an_amount_edited_after_the_hold_is_not_paid(
    database: FreshDatabase, keystore_house: House, assignment: str
) -> None:
    """Paid out of a smaller hold it would take what is locked for another withdrawal."""
    async with desk(database, keystore_house) as d:
        edited, other = await d.request(1), await d.request(2, units=3 * AMOUNT)
        await edit(d, edited, assignment)
        await pay(d)
        row = await d.withdrawal(edited)
        assert row.status == "approved"
        assert row.blocked_reason == "the ledger does not hold its amount: needs a person"
        assert (await d.withdrawal(other)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == 3 * AMOUNT
        assert (await d.world.wallet("mer_1"))[1] == AMOUNT


@pytest.mark.parametrize(
    ("assignment", "back"), [("units * 2", "units / 2"), ("units / 2", "units * 2")]
)
async def test_an_amount_edited_after_signing_takes_nothing_of_others(
    database: FreshDatabase, keystore_house: House, assignment: str, back: str
) -> None:
    """It waits for a person, who puts the row right; what it paid is settled then."""
    async with desk(database, keystore_house) as d:
        edited, other = await d.request(1), await d.request(2, units=3 * AMOUNT)
        await d.payouts.round()
        assert {(await d.withdrawal(id_)).status for id_ in (edited, other)} == {"broadcast"}
        await edit(d, edited, f"units = {assignment}")
        await pay(d)
        assert (await d.withdrawal(edited)).blocked_reason == UNBOOKABLE
        assert (await d.withdrawal(other)).status == "completed"
        assert (await d.world.wallet("mer_1"))[1] == AMOUNT
        await edit(d, edited, f"units = {back}")
        judgement = Judgement(NETWORK, edited, paid=True, person="eve", reason="row put right")
        await settle(d.world.database, [d.payouts.chain.reader], judgement, now())
        assert (await d.withdrawal(edited)).status == "completed"
        assert (await d.world.wallet("mer_1"))[1] == 0
