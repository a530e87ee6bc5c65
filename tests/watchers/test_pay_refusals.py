"""What the keystore will not sign makes way: nobody behind it waits, and nothing is paid for it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from gateway.db import CROSS_TENANT
from gateway.models import Attempt, AuditLog, CancelRequest, Withdrawal
from keystore import api
from keystore.client import KeystoreClient, KeystoreRefused
from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_command import config, run
from tests.watchers.test_pay_outbids import wait_blocks
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from watchers.clock import now

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


class Reluctant(KeystoreClient):
    """A keystore that refuses some orders, with one code."""

    def __init__(self, house: House, code: str) -> None:
        super().__init__(house.socket)
        self.code, self.refused, self.asked = code, set[str](), 0

    async def sign(self, intent: Any, **kwargs: Any) -> api.Signed:
        """Refuse, or ask the real one."""
        if intent["withdrawal_id"] in self.refused:
            self.asked += 1
            raise KeystoreRefused(self.code, "not this one")
        return await super().sign(intent, **kwargs)


async def let_pause_pass(d: Desk, id_: str) -> None:
    """Make its last refusal an old one."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        long_ago = now().at - timedelta(minutes=5)
        row = update(Withdrawal).where(Withdrawal.id == id_)
        await session.execute(row.values(updated_at=long_ago))


@pytest.mark.parametrize(
    "code", ["approvals_missing", "blocked", "fee_above_limit", "bad_field"]
)
async def test_a_payment_that_waits_for_people_holds_up_nobody(
    database: FreshDatabase, keystore_house: House, code: str
) -> None:
    """It says why, gives its nonce to the next one, and is paid when the keystore agrees."""
    async with (
        desk(database, keystore_house) as d,
        Reluctant(keystore_house, code) as reluctant,
    ):
        d.payouts.keystore = reluctant
        d.again()
        waits = await d.request(1)
        reluctant.refused.add(waits)
        goes = await d.request(2)
        await d.payouts.round()
        waiting = await d.withdrawal(waits)
        assert waiting.status == "approved"
        assert waiting.blocked_reason == f"keystore: {code}: not this one"
        assert [(a.order_id, a.nonce) for a in await d.attempts() if a.state == "signed"] == [
            (goes, d.first_nonce)
        ]
        await d.payouts.round()
        assert reluctant.asked == 1, "each question is a row of the keystore's journal"
        reluctant.refused.clear()
        await let_pause_pass(d, waits)
        await d.payouts.round()
        await d.bury()
        for id_ in (waits, goes):
            assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == 2 * AMOUNT
        assert await d.world.sum_is_zero()


async def test_what_was_prepared_before_a_pause_is_not_signed_in_it(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The keystore was away, an operator paused: nothing is signed when it is back."""
    async with desk(database, keystore_house) as d:
        paused = await d.request(1)
        assert await d.payouts.claims.claim()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text(
                    "INSERT INTO pause (id, livemode, merchant_id, reason, created_by, created_at)"
                    " VALUES ('pau_1', false, 'mer_1', 'wait', 'x', now())"
                )
            )
        await d.payouts.round()
        row = await d.withdrawal(paused)
        assert (row.status, row.blocked_reason) == ("approved", "paused: wait")
        assert [a.state for a in await d.attempts()] == ["refused"]
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("UPDATE pause SET lifted_at = now(), lifted_by = 'x'"))
        await let_pause_pass(d, paused)
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(paused)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_a_replacement_that_is_refused_leaves_the_payment_as_it_was(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The first one is still out and lands; the refusal is shown, and not repeated at once."""
    async with (
        desk(database, keystore_house, bump_blocks=1) as d,
        Reluctant(keystore_house, "fee_above_limit") as reluctant,
    ):
        d.writer.manner = Broadcast.REFUSE
        d.payouts.keystore = reluctant
        d.again()
        id_ = await d.request(1)
        await d.payouts.round()
        reluctant.refused.add(id_)
        for _ in range(3):
            await wait_blocks(d, 1)
            await d.payouts.round()
        assert reluctant.asked == 1
        states = [(each.place, each.state) for each in await d.attempts()]
        assert states == [(1, "signed"), (2, "refused")]
        assert "fee_above_limit" in ((await d.withdrawal(id_)).blocked_reason or "")
        d.writer.manner = Broadcast.TAKE
        await d.rest()
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"


async def test_an_intent_that_expired_unsigned_is_made_anew(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The keystore was away for hours: what it would sign now could not land (Tron)."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.adoption.round()
        assert await d.payouts.claims.claim()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("ALTER TABLE attempt DISABLE TRIGGER attempt_guard"))
            [attempt] = (await session.scalars(select(Attempt))).all()
            attempt.intent = {**attempt.intent, "expiration_ms": 1}
            await session.flush()
            await session.execute(
                text("ALTER TABLE attempt ENABLE ALWAYS TRIGGER attempt_guard")
            )
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        states = {(each.nonce, each.state) for each in await d.attempts()}
        assert states == {(None, "refused"), (d.first_nonce, "succeeded")}


async def test_the_rows_let_nothing_go_back_that_may_have_been_signed(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A withdrawal in signing returns to approved only where no intent of it stands."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.adoption.round()
        assert await d.payouts.claims.claim()
        with pytest.raises(DBAPIError, match="may have been signed"):
            async with d.world.database.unit_of_work(CROSS_TENANT) as session:
                row = update(Withdrawal).where(Withdrawal.id == id_)
                await session.execute(row.values(status="approved"))


async def test_without_a_nonce_a_second_transaction_is_never_written(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It would be a second payment (Tron): the schema itself refuses the row."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        values = {
            "network_id": "ethereum",
            "purpose": "payout",
            "withdrawal_id": id_,
            "order_id": id_,
            "intent": {},
            "sender": d.world.hot,
            "state": "prepared",
            "broadcasts": 0,
            "created_at": now().at,
        }
        with pytest.raises(DBAPIError, match="replaces nothing in its place"):
            async with d.world.database.unit_of_work(CROSS_TENANT) as session:
                session.add(Attempt(id="att_1", place=1, **values))
                await session.flush()
                session.add(Attempt(id="att_2", place=2, **values))


async def test_an_operator_cancels_from_the_command_line(
    database: FreshDatabase, keystore_house: House, tmp_path: Path
) -> None:
    """The wish is a row with a name and an audit line; the payer's round carries it out."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        path = config(tmp_path, database, "http://127.0.0.1:1", d.world.chain.identity)
        words = ("cancel", "ethereum", id_, "--config", str(path))
        early = await asyncio.to_thread(run, *words)
        assert (early.returncode, "30 minutes are needed" in early.stderr) == (1, True)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(Attempt).values(created_at=now().at - timedelta(hours=1))
            )
        done = await asyncio.to_thread(run, *words)
        assert (done.returncode, done.stderr) == (0, "")
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            [request] = (await session.scalars(select(CancelRequest))).all()
            [line] = (await session.scalars(select(AuditLog))).all()
        assert request.order_id == line.subject == id_
        assert line.actor == f"operator:{request.asked_by}"
        await d.payouts.round()
        assert [each.purpose for each in await d.attempts()] == ["payout", "cancel"]
