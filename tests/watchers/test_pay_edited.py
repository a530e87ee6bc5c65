"""Rows of payouts that somebody edited: the ledger's own hold counts, and the bytes that were signed."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from tests.conftest import FreshDatabase
from tests.fakes.chain import Move
from tests.keystore.house import House
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.pay import cancels, own_bytes
from watchers.pay.judged import Judgement, NotSettled, settle
from watchers.pay.own_bytes import EDITED
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


async def name_another(d: Desk, tx_hash: str) -> None:
    """Set the hash of the newest transaction, and nothing else, as the owner of the tables can."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("ALTER TABLE attempt DISABLE TRIGGER USER"))
        row = text("UPDATE attempt SET tx_hash = :tx WHERE id = (SELECT max(id) FROM attempt)")
        await session.execute(row, {"tx": tx_hash})
        await session.execute(text("ALTER TABLE attempt ENABLE TRIGGER USER"))


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
        await settle(
            d.world.database,
            [d.payouts.chain.reader],
            judgement,
            now(),
            edited=own_bytes.nothing,
        )
        assert (await d.withdrawal(edited)).status == "completed"
        assert (await d.world.wallet("mer_1"))[1] == 0


async def test_a_hash_edited_to_a_stranger_s_that_failed_gives_nothing_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The payment lands under its own: with its hold given back it would be asked for again."""
    async with desk(database, keystore_house) as d:
        d.world.scanner.verify = d.payouts.chain.writer.verify
        id_ = await d.request(1)
        await d.payouts.round()
        strange = d.world.chain.submit([Move(d.world.chain.payer, 1)], doomed=True)
        await name_another(d, strange)
        for _ in range(2):
            await d.bury()
        row = await d.withdrawal(id_)
        assert (row.status, row.blocked_reason) == ("confirming", EDITED)
        assert await d.world.chain.balance(DESTINATION) == AMOUNT, "it landed"
        assert (await d.world.wallet("mer_1"))[1] == AMOUNT
        told = Judgement(NETWORK, id_, paid=False, person="eve", reason="it failed")
        readers, looks = [d.payouts.chain.reader], own_bytes.by(d.writer.verify)
        with pytest.raises(NotSettled, match=EDITED):
            await settle(d.world.database, readers, told, now(), edited=looks)
        assert (await d.world.wallet("mer_1"))[1] == AMOUNT


async def test_a_hash_edited_while_it_waits_is_not_taken_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Under its own hash it may have landed; the order says what is wrong."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.round()
        await name_another(d, "0x" + "77" * 32)
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            await cancels.ask(session, NETWORK, id_, "eve", now(), patience=timedelta(0))
        for _ in range(2):
            await d.payouts.round()
        assert [each.purpose for each in await d.attempts()] == ["payout"]
        row = await d.withdrawal(id_)
        assert (row.status, row.blocked_reason) == ("broadcast", EDITED)
