"""A refund of an unattributed deposit is an ordinary payout out of suspense, signed by the keystore."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import update

from gateway.db import CROSS_TENANT
from gateway.models import Currency
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.asking import asking
from tests.watchers.test_desk import SOMEWHERE, Bureau
from tests.watchers.test_payouts import Desk, desk, keystore_house
from tests.watchers.world import DUE_UNITS

pytestmark = pytest.mark.anyio

__all__ = ["keystore_house"]


@dataclass
class Cash:
    """Two operators, and a hot wallet that can pay."""

    bureau: Bureau
    payouts: Desk

    async def misdirected(self) -> str:
        """Let a payment arrive where nobody was shown an address; return the deposit's id."""
        w = self.payouts.world
        await w.pay(w.free, DUE_UNITS)
        [row] = await self.bureau.unattributed()
        return str(row["id"])

    async def landed(self) -> None:
        """Sign, send, and let it become final."""
        await self.payouts.payouts.round()
        await self.payouts.bury()


@asynccontextmanager
async def cash(database: FreshDatabase, house: House) -> AsyncIterator[Cash]:
    """Open both desks over one world."""
    async with desk(database, house) as payouts, asking(database, payouts.world) as api:
        alice, bob = await api.key(None), await api.key(None)
        yield Cash(Bureau(api, payouts.world, alice, bob), payouts)


@pytest.fixture
def house(keystore_house: House) -> House:
    """Return the module's keystore."""
    return keystore_house


async def test_a_refund_is_paid_out_of_suspense(database: FreshDatabase, house: House) -> None:
    """Held, signed, final: the sender has it back, suspense and custody agree, both names are kept."""
    async with cash(database, house) as c:
        w, before = c.payouts.world, await c.payouts.world.wallet("custody")
        deposit_id = await c.misdirected()
        begun = await c.bureau.resolved(deposit_id, "refund", destination=SOMEWHERE)
        assert (begun["status"], begun["destination"].lower()) == ("paying", SOMEWHERE)
        assert await w.wallet("suspense") == (0, DUE_UNITS)
        assert await c.bureau.unattributed() == []
        await c.landed()
        assert await w.chain.balance(SOMEWHERE) == DUE_UNITS
        assert await c.bureau.carry_out()
        done = await c.bureau.resolution(begun["id"])
        assert done["status"] == "done"
        shown = done["withdrawal"]
        assert (shown["status"], shown["tx_hash"] is None) == ("completed", False)
        withdrawal = await c.payouts.withdrawal(shown["id"])
        assert (withdrawal.status, withdrawal.merchant_id) == ("completed", None)
        assert withdrawal.created_by != withdrawal.approved_by
        assert await w.wallet("suspense") == (0, 0)
        spent = withdrawal.network_fee_units or 0
        assert (await w.wallet("custody"))[0] == before[0] + spent
        assert await w.sum_is_zero()
        again = await c.bureau.ask(deposit_id, "assign", merchant_id="mer_1")
        assert (again.status_code, again.json()["code"]) == (409, "deposit_not_open")


async def test_a_refund_that_fails_leaves_the_deposit_open(
    database: FreshDatabase, house: House
) -> None:
    """The chain refused it: back to suspense, listed again, and payable anew."""
    async with cash(database, house) as c:
        w = c.payouts.world
        deposit_id = await c.misdirected()
        begun = await c.bureau.resolved(deposit_id, "refund", destination=SOMEWHERE)
        await c.payouts.payouts.round()
        for tx_hash, waiting in list(w.chain.pool.items()):
            w.chain.pool[tx_hash] = replace(waiting, doomed=True)
        await c.payouts.bury()
        assert await c.bureau.carry_out()
        failed = await c.bureau.resolution(begun["id"])
        assert (failed["status"], failed["failure_reason"]) == (
            "failed",
            "the transaction failed on chain",
        )
        assert await w.wallet("suspense") == (DUE_UNITS, 0)
        [row] = await c.bureau.unattributed()
        assert (row["id"], row["resolution"]["status"]) == (deposit_id, "failed")
        done = await c.bureau.resolved(deposit_id, "assign", merchant_id="mer_1")
        assert done["status"] == "done"
        assert await w.sum_is_zero()


async def test_what_loses_a_part_on_its_way_is_not_refunded(
    database: FreshDatabase, house: House
) -> None:
    """The sender would not get what came; it is refused before anybody approves it."""
    async with cash(database, house) as c:
        deposit_id = await c.misdirected()
        async with c.payouts.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Currency).values(fee_on_transfer=True))
        refused = await c.bureau.ask(deposit_id, "refund", destination=SOMEWHERE)
        assert (refused.status_code, refused.json()["code"]) == (409, "fee_on_transfer")
