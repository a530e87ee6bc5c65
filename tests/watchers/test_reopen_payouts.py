"""`watchers reopen` and money that left in blocks which were given up: one payment per withdrawal."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select, update

from gateway.db import CROSS_TENANT
from gateway.models import AuditLog, Withdrawal
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.migrations.test_ledger_rules import POSTING, connect, ledger, new_journal
from tests.watchers.reopening import begin_again, doom, halted, reopened, rewritten
from tests.watchers.test_payouts import (
    AMOUNT,
    BALANCE,
    DESTINATION,
    Desk,
    desk,
    keystore_house,
)
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.network import NATIVE
from watchers.pay import cancels, settler, transactions

__all__ = ["keystore_house", "ledger"]
pytestmark = pytest.mark.anyio


async def ended(d: Desk, number: int, status: str) -> tuple[str, str, int]:
    """Let a payout end in a final block; return its id, its hash and the block below."""
    id_ = await d.request(number)
    below = d.world.chain.head
    await d.payouts.round()
    if status == "failed":
        doom(d.world.chain)
    await d.bury()
    assert (await d.withdrawal(id_)).status == status
    [attempt] = [each for each in await d.attempts() if each.order_id == id_]
    return id_, attempt.tx_hash or "", below


async def again(d: Desk) -> None:
    """Begin paying anew, as after a restart; the pause between broadcasts has passed."""
    d.again()
    await d.rest()
    await d.payouts.round()


async def books_fit(d: Desk) -> bool:
    """Tell whether custody is what the chain holds, and the ledger sums to zero."""
    held = await d.world.chain.balance(d.world.hot)
    custody = (await d.world.wallet("custody"))[0]
    return -custody == held + BALANCE and await d.world.sum_is_zero()


async def test_a_payout_of_a_forgotten_block_is_sent_again_and_never_paid_anew(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The same bytes fill the same nonce: the destination has the amount once, the ledger too."""
    async with desk(database, keystore_house) as d:
        id_, tx_hash, below = await ended(d, 1, "completed")
        await rewritten(d.world, d.world.chain.head - below)
        assert await d.world.chain.balance(DESTINATION) == 0
        plan = await reopened(d.world)
        assert [(each.order_id, each.state) for each in plan.orders] == [(id_, "succeeded")]
        [attempt] = await d.attempts()
        assert (attempt.state, attempt.block_height) == ("signed", None)
        await again(d)
        assert list(d.world.chain.pool) == [tx_hash]
        await d.bury()
        await again(d)
        [attempt] = await d.attempts()
        assert (attempt.state, attempt.tx_hash) == ("succeeded", tx_hash)
        assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        assert (await d.world.events(id_)).count("withdrawal.completed") == 1
        assert await books_fit(d)


async def test_a_payout_that_fails_on_the_new_chain_is_given_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It was completed; nothing arrived after all: the merchant has its money again, and hears it."""
    async with desk(database, keystore_house) as d:
        before = await d.world.wallet("mer_1")
        id_, _, below = await ended(d, 3, "completed")
        await rewritten(d.world, d.world.chain.head - below)
        await reopened(d.world)
        await again(d)
        doom(d.world.chain)
        await d.bury()
        failed = await d.withdrawal(id_)
        assert failed.status == "failed"
        assert "rewritten" in (failed.failure_reason or "")
        assert await d.world.wallet("mer_1") == before
        assert await d.world.events(id_) == [
            "withdrawal.broadcast",
            "withdrawal.completed",
            "withdrawal.failed",
        ]
        assert await books_fit(d)


@pytest.mark.parametrize("lands", ["payment", "cancel"])
async def test_of_a_payment_and_its_cancel_the_one_that_was_booked_is_sent_and_any_is_seen(
    database: FreshDatabase, keystore_house: House, lands: str
) -> None:
    """It had been paid: the payment alone is sent again. Where somebody lands the cancel, that counts."""
    async with desk(database, keystore_house) as d:
        chain, before = d.world.chain, await d.world.wallet("mer_1")
        id_, below = await d.request(8), chain.head
        await d.payouts.round()
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            await cancels.ask(session, NETWORK, id_, "ada", now(), patience=timedelta(0))
        await d.payouts.round()
        payment, cancel = await d.attempts()
        chain.mine_only([payment.tx_hash or ""])
        waiting, chain.pool = chain.pool, {}
        await d.bury()
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "completed"
        chain.pool = waiting if lands == "cancel" else {}
        await rewritten(d.world, chain.head - below)
        await reopened(d.world)
        await again(d)
        assert list(chain.pool) == ([payment.tx_hash] if lands == "payment" else [])
        await d.bury()
        landed = payment if lands == "payment" else cancel
        states = {each.id: each.state for each in await d.attempts()}
        assert states.pop(landed.id) == "succeeded"
        assert set(states.values()) == {"replaced"}
        paid = AMOUNT if lands == "payment" else 0
        assert await chain.balance(DESTINATION) == paid
        assert await d.world.wallet("mer_1") == (before[0] - paid, 0)
        assert (await d.withdrawal(id_)).status == ("completed" if paid else "failed")
        assert await books_fit(d)


async def test_a_withdrawal_that_only_its_row_calls_completed_is_not_taken_for_ended(
    database: FreshDatabase, keystore_house: House
) -> None:
    """No journal had ended it: it waits for a person, and its hold stays."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(9)
        await d.payouts.round()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Withdrawal).values(status="completed"))
        await d.bury()
        [attempt] = await d.attempts()
        assert (attempt.state, attempt.last_answer) == ("included", settler.UNBOOKABLE)
        assert (await d.world.wallet("mer_1"))[1] == AMOUNT
        assert {kind for kind, ref in await d.world.journals() if ref == id_} == {"hold"}


async def test_a_payout_that_can_land_no_more_on_the_new_chain_is_given_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It had been paid and has expired since: neither its amount nor its fee was spent."""
    async with desk(database, keystore_house) as d:
        before = await d.world.wallet("mer_1")
        id_, _, below = await ended(d, 1, "completed")
        await rewritten(d.world, d.world.chain.head - below)
        await reopened(d.world)
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            [attempt] = await transactions.in_state(session, NETWORK, "signed")
            await settler.lapse(session, attempt, now())
        assert (await d.withdrawal(id_)).status == "failed"
        assert await d.world.wallet("mer_1") == before
        assert await d.world.wallet("expense") == (0, 0)
        assert await books_fit(d)


async def test_a_failed_payout_is_not_sent_again_but_canceled(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Its hold was given back: what fills its nonce on the new chain moves nothing."""
    async with desk(database, keystore_house) as d:
        before = await d.world.wallet("mer_1")
        id_, tx_hash, below = await ended(d, 4, "failed")
        await rewritten(d.world, d.world.chain.head - below)
        await reopened(d.world)
        await again(d)
        await again(d)
        assert tx_hash not in d.world.chain.pool
        first, cancel = await d.attempts()
        assert (first.state, cancel.purpose, cancel.nonce) == ("signed", "cancel", first.nonce)
        await d.bury()
        assert [each.state for each in await d.attempts()] == ["replaced", "succeeded"]
        assert (await d.withdrawal(id_)).status == "failed"
        assert await d.world.wallet("mer_1") == before
        assert await d.world.chain.balance(DESTINATION) == 0
        assert await books_fit(d)


async def test_a_failed_payout_that_somebody_lands_is_booked_and_its_lack_shows(
    database: FreshDatabase, keystore_house: House
) -> None:
    """What the merchant has spent of its hold meanwhile is missing in suspense, and never silent."""
    async with desk(database, keystore_house) as d:
        id_, tx_hash, below = await ended(d, 5, "failed")
        confirmed, _ = await d.world.wallet("mer_1")
        await d.request(6, units=confirmed - AMOUNT // 4)
        await rewritten(d.world, d.world.chain.head - below)
        await reopened(d.world)
        d.world.chain.mine_only([tx_hash])
        await d.bury()
        paid = await d.withdrawal(id_)
        assert (paid.status, paid.failure_reason) == ("completed", None)
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        assert (await d.world.wallet("mer_1"))[0] == 0
        assert await d.world.wallet("suspense") == (AMOUNT // 4 - AMOUNT, 0)
        assert (await d.world.events(id_))[-2:] == ["withdrawal.failed", "withdrawal.completed"]
        await begin_again(d.world)
        assert ("reversal", id_) in await d.world.journals()
        assert await books_fit(d)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            log = (await session.scalars(select(AuditLog).order_by(AuditLog.id))).all()
        assert [(each.action, each.after["sent_again"]) for each in log[:1] if each.after] == [
            ("withdrawal.reopened", False)
        ]


async def test_a_payout_that_both_chains_show_changes_nothing_but_its_fee(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The same transaction pays another price there: custody stays what the chain holds."""
    async with desk(database, keystore_house) as d:
        id_, tx_hash, below = await ended(d, 7, "completed")
        journals, chain = await d.world.journals(), d.world.chain
        chain.fork(chain.head - below, keep=[])
        dearer = chain.receive(chain.broadcasts[tx_hash])
        chain.pool = {tx_hash: replace(dearer, gas_price=dearer.gas_price + 7)}
        await chain.mine(4)
        await halted(d.world)
        await reopened(d.world)
        assert (await d.withdrawal(id_)).status == "completed"
        [fee] = (await d.world.journals())[len(journals) :]
        [attempt] = await d.attempts()
        assert fee == ("network_fee", f"ethereum:{tx_hash}@{attempt.block_hash}")
        assert chain.state.held(DESTINATION, NATIVE) == AMOUNT
        assert await books_fit(d)


def test_an_ended_withdrawal_turns_only_with_a_journal_and_never_for_the_api(
    ledger: FreshDatabase,
) -> None:
    """The database holds it, whatever a process writes."""
    with connect(ledger, "owner") as owner:
        owner.execute(
            "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, fee_units, "
            "destination, created_by, status, created_at, updated_at) VALUES ('wdr_1', 'mer_1', "
            "false, 'ETH-ETHEREUM', 'ethereum', 5, 0, '0x', 'key_1', 'completed', now(), now())"
        )
    turn = "UPDATE withdrawal SET status = 'failed' WHERE id = 'wdr_1'"
    back = "UPDATE withdrawal SET status = 'completed' WHERE id = 'wdr_1'"
    with (
        connect(ledger, "watcher") as watcher,
        pytest.raises(psycopg.errors.CheckViolation, match="nothing takes that back"),
    ):
        watcher.execute(turn)
    with connect(ledger, "owner") as owner:
        new_journal(owner, "reversal", "wdr_1", "mer_1")
    with (
        connect(ledger, "watcher") as watcher,
        pytest.raises(psycopg.errors.CheckViolation, match="nothing takes that back"),
    ):
        watcher.execute(turn)
    reopened_now = "INSERT INTO reopened_order VALUES ('wdr_1', 'ethereum', now())"
    with (
        connect(ledger, "watcher") as watcher,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        watcher.execute(reopened_now)
    with connect(ledger, "owner") as owner:
        owner.execute(reopened_now)
    with (
        connect(ledger, "watcher") as watcher,
        pytest.raises(psycopg.errors.CheckViolation, match="nothing takes that back"),
    ):
        watcher.execute(turn)  # its journal moves nothing
    with connect(ledger, "owner") as owner:
        [journal] = owner.execute("SELECT id FROM journal WHERE ref = 'wdr_1'").fetchone() or ()
        owner.execute(POSTING, [journal, "mer_1", "ADJUSTMENT", 5, 0])
        owner.execute(POSTING, [journal, "custody", "ADJUSTMENT", -5, 0])
    with (
        connect(ledger, "api") as api,
        pytest.raises(psycopg.errors.CheckViolation, match="completed cannot become failed"),
    ):
        api.execute("SELECT set_config('app.merchant_id', 'mer_1', false)")
        api.execute(turn)
    with connect(ledger, "owner") as owner:
        owner.execute(
            "INSERT INTO referral_schedule VALUES ('rsc_1', NULL, '{100}', NULL, now(), 'ada', now())"
        )
        owner.execute(
            "INSERT INTO commission_pot VALUES "
            "('wdr_1', 'house', 'mer_1', 'mer_1', 'ETH-ETHEREUM', 1, now(), 'rsc_1', NULL, now())"
        )
    with connect(ledger, "watcher") as watcher:
        assert watcher.execute(turn).rowcount == 1
    with connect(ledger, "owner") as owner:
        closed = "SELECT reason FROM commission_pot WHERE shared_at IS NOT NULL"
        assert owner.execute(closed).fetchall() == [("the payment was reversed",)]
    with (
        connect(ledger, "watcher") as watcher,
        pytest.raises(psycopg.errors.CheckViolation, match="nothing takes that back"),
    ):
        watcher.execute(back)
    with connect(ledger, "owner") as owner:
        second = new_journal(owner, "reversal", "wdr_1#2", "mer_1")
        owner.execute(POSTING, [second, "mer_1", "ADJUSTMENT", -5, 0])
        owner.execute(POSTING, [second, "custody", "ADJUSTMENT", 5, 0])
    with connect(ledger, "watcher") as watcher:
        assert watcher.execute(back).rowcount == 1
    with (
        connect(ledger, "watcher") as watcher,
        pytest.raises(psycopg.errors.CheckViolation, match="nothing takes that back"),
    ):
        watcher.execute(turn)  # the first turn's journal is no word about this one
