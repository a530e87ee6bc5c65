"""`watchers reopen` and refunds of what was nobody's: what was decided follows its withdrawal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from gateway.db import CROSS_TENANT
from gateway.desk import turning
from gateway.desk.ending import NOT_OPEN
from gateway.invoices import repository as invoices
from gateway.models import Resolution, Withdrawal
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.reopening import doom, reopened, rewritten
from tests.watchers.test_desk import SOMEWHERE
from tests.watchers.test_payouts import Desk, desk, keystore_house
from tests.watchers.test_refund import Cash, cash
from tests.watchers.test_reopen_payouts import again, books_fit, ended
from tests.watchers.world import DUE_UNITS

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio


@dataclass
class Refund:
    """A refund that has ended in a block which is given up, and is about to land again."""

    cash: Cash
    deposit_id: str
    resolution_id: str
    below: int

    async def rewrite(self) -> None:
        """Rewrite the chain from below its transaction on, and go on there."""
        d = self.cash.payouts
        await rewritten(d.world, d.world.chain.head - self.below)
        await reopened(d.world)

    async def land(self, *, paid: bool) -> bool:
        """Let it be sent, and land in a final block; let the desk look."""
        d = self.cash.payouts
        [attempt] = [each for each in await d.attempts() if each.state == "signed"]
        d.world.chain.pool = {}
        d.world.chain.receive(attempt.raw or b"")
        if not paid:
            doom(d.world.chain)
        await d.bury()
        return await self.cash.bureau.carry_out()

    async def status(self, resolution_id: str | None = None) -> tuple[str, str | None]:
        """Return how a resolution stands, and why."""
        found = await self.cash.bureau.resolution(resolution_id or self.resolution_id)
        return found["status"], found["failure_reason"]

    async def does_not_turn_by_itself(self) -> None:
        """Try to end it otherwise than its withdrawal has: the database refuses."""
        with pytest.raises(IntegrityError, match="its refund says nothing else"):
            async with self.cash.payouts.world.database.unit_of_work(CROSS_TENANT) as session:
                await session.execute(update(Resolution).values(status="failed"))

    async def open_ones(self) -> list[str]:
        """Return what is nobody's."""
        return [str(row["id"]) for row in await self.cash.bureau.unattributed()]

    async def suspense(self) -> tuple[int, int]:
        """Return what is in suspense, and what of it is held."""
        assert await self.cash.payouts.world.sum_is_zero()
        return await self.cash.payouts.world.wallet("suspense")


@asynccontextmanager
async def refund(database: FreshDatabase, house: House, *, paid: bool) -> AsyncIterator[Refund]:
    """Let a refund end, one way or the other."""
    async with cash(database, house) as c:
        d, deposit_id = c.payouts, await c.misdirected()
        begun = await c.bureau.resolved(deposit_id, "refund", destination=SOMEWHERE)
        below = d.world.chain.head
        await d.payouts.round()
        if not paid:
            doom(d.world.chain)
        await d.bury()
        assert await c.bureau.carry_out()
        found = Refund(c, deposit_id, str(begun["id"]), below)
        assert (await found.status())[0] == ("done" if paid else "failed")
        yield found


async def test_a_refund_that_was_not_paid_after_all_leaves_its_deposit_open(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It had been paid: the money is in suspense again, and two operators may decide anew."""
    async with refund(database, keystore_house, paid=True) as r:
        await r.does_not_turn_by_itself()
        await r.rewrite()
        await r.does_not_turn_by_itself()
        assert not await r.cash.bureau.carry_out(), "nothing is known yet"
        await again(r.cash.payouts)
        assert await r.land(paid=False)
        status, why = await r.status()
        assert (status, "rewritten" in (why or "")) == ("failed", True)
        assert await r.open_ones() == [r.deposit_id]
        assert await r.suspense() == (DUE_UNITS, 0)
        assert not await r.cash.bureau.carry_out()
        done = await r.cash.bureau.resolved(r.deposit_id, "assign", merchant_id="mer_1")
        assert (done["status"], await r.suspense()) == ("done", (0, 0))


async def test_a_refund_that_was_paid_after_all_is_done_and_the_next_one_is_called_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It had failed, and was approved a second time: the sender has the amount once."""
    async with refund(database, keystore_house, paid=False) as r:
        await r.rewrite()
        second = await r.cash.bureau.resolved(r.deposit_id, "refund", destination=SOMEWHERE)
        assert second["status"] == "paying"
        assert await r.land(paid=True)
        assert await r.status() == ("done", None)
        assert await r.status(str(second["id"])) == ("failed", turning.PAID)
        assert await r.open_ones() == []
        assert await r.suspense() == (0, 0)
        await again(r.cash.payouts)
        await r.cash.payouts.bury()
        assert await r.cash.payouts.world.chain.balance(SOMEWHERE) == DUE_UNITS


async def test_a_refund_that_was_paid_after_all_waits_for_what_is_being_asked(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Nobody ends an operator's question; whatever is answered, nothing more is done with it."""
    async with refund(database, keystore_house, paid=False) as r:
        bureau = r.cash.bureau
        asked = (await bureau.ask(r.deposit_id, "assign", merchant_id="mer_1")).json()["id"]
        await r.rewrite()
        assert not await r.land(paid=True)
        assert (await r.status())[0] == "failed"
        assert await r.open_ones() == [], "nobody begins anything else with it"
        assert (await bureau.decide(bureau.bob, asked, "approve")).status_code == 200
        assert await bureau.carry_out()
        assert await r.status(asked) == ("failed", NOT_OPEN)
        assert await r.status() == ("done", None)
        assert await r.suspense() == (0, 0)


async def test_what_was_given_away_and_paid_back_after_all_needs_a_person(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Assigned after its refund had failed: both stand, and the lack is in suspense."""
    async with refund(database, keystore_house, paid=False) as r:
        done = await r.cash.bureau.resolved(r.deposit_id, "assign", merchant_id="mer_1")
        await r.rewrite()
        assert await r.land(paid=True)
        assert await r.status() == ("failed", turning.TWICE)
        assert (await r.status(str(done["id"])))[0] == "done"
        assert await r.suspense() == (-DUE_UNITS, 0)
        assert not await r.cash.bureau.carry_out()


async def refund_that_turns(d: Desk, number: int) -> str:
    """Let a refund of `inv_1` that had failed land on a rewritten chain; return its id."""
    id_, tx_hash, below = await ended(d, number, "failed")
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("ALTER TABLE withdrawal DISABLE TRIGGER withdrawal_links"))
        belongs = {"invoice_id": "inv_1", "refund_kind": "full"}
        await session.execute(update(Withdrawal).values(**belongs))
        again_on = "ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_links"
        await session.execute(text(again_on))
    await rewritten(d.world, d.world.chain.head - below)
    await reopened(d.world)
    d.world.chain.mine_only([tx_hash])
    return id_


async def test_a_refund_of_an_invoice_that_somebody_has_turns_at_the_next_look(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Who may be asking for a refund of it is not waited for; the scan goes on, no person is needed."""
    async with desk(database, keystore_house) as d:
        id_ = await refund_that_turns(d, 41)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await invoices.locked(session, "inv_1")
            await d.bury()
            [attempt] = await d.attempts()
            assert (attempt.state, attempt.success) == ("included", True)
            assert (await d.withdrawal(id_)).status == "failed"
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        assert await books_fit(d)


async def test_what_needs_a_person_keeps_no_other_refund_from_being_looked_at(
    database: FreshDatabase, keystore_house: House
) -> None:
    """However many wait for one: the one that turned last follows its withdrawal too."""
    async with refund(database, keystore_house, paid=False) as r:
        await r.cash.bureau.resolved(r.deposit_id, "assign", merchant_id="mer_1")
        copies = (
            "INSERT INTO resolution SELECT (jsonb_populate_record(r, jsonb_build_object("
            "'id', 'rea_0' || n, 'failure_reason', CAST(:why AS text)))).* "
            "FROM resolution r, generate_series(1, 20) n WHERE r.id = :id"
        )
        async with r.cash.payouts.world.owner.unit_of_work(CROSS_TENANT) as session:
            sole = "ALTER TABLE resolution DROP CONSTRAINT resolution_withdrawal_id_key"
            await session.execute(text(sole))  # one withdrawal stands for twenty
            told = {"why": turning.TWICE, "id": r.resolution_id}
            await session.execute(text(copies), told)
        await r.rewrite()
        assert await r.land(paid=True)
        assert await r.status() == ("failed", turning.TWICE)
