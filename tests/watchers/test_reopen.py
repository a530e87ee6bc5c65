"""`watchers reopen`: out of a halt below finality, with no deposit lost and none counted twice."""

import copy
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import event, func, select, update

from gateway.db import CROSS_TENANT
from gateway.models import AuditLog, Block, Deposit, Journal, Merchant, Withdrawal
from tests.conftest import FreshDatabase
from tests.watchers.reopening import (
    ORDER,
    begin_again,
    cursor,
    halted,
    reopened,
    rewritten,
)
from tests.watchers.test_desk import SOMEWHERE, bureau
from tests.watchers.test_scan import eyes
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, World, world
from watchers.clock import now
from watchers.network import ChainReader
from watchers.reconcile import books
from watchers.scan import reopen
from watchers.scan.forks import CannotReopen, majority
from watchers.scan.reorg import FinalityBroken
from watchers.store import LeaseLost

pytestmark = pytest.mark.anyio
PART = 10**17


async def rows(w: World) -> dict[str, Deposit]:
    """Return every deposit by its transaction."""
    return {each.tx_hash: each for each in await w.deposits()}


async def test_case_28_what_both_chains_show_counts_once_and_the_rest_is_taken_back(
    database: FreshDatabase,
) -> None:
    """Then the ledger is what the chain says; what comes back later is credited anew, once."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Merchant).values(processing_fee_basis_points=100))
        before = await w.pay(w.assigned, PART)
        fork = w.chain.head
        both = await w.pay(w.assigned, 2 * PART)
        false = await w.pay(w.assigned, 4 * PART)
        nobodys = await w.pay(w.free, 8 * PART)
        capital = await w.pay(w.hot, 16 * PART)
        assert (await w.wallet("custody"))[0] == -31 * PART
        lost = {
            tx.tx_hash: tx
            for block in w.chain.blocks[fork:]
            for tx, _ in block.transactions
            if tx.tx_hash in {false, nobodys, capital}
        }
        old = await cursor(w)
        await rewritten(w, w.chain.head - fork, both)

        plan = await reopen.planned(w.scanner)
        assert plan.fork.first == fork + 1
        assert [each.claim.transfer.tx_hash for each in plan.kept] == [both]
        assert {each.claim.transfer.tx_hash for each in plan.gone} == set(lost)
        assert (await cursor(w)).halted is not None  # to look changes nothing
        await reopened(w)

        found = await rows(w)
        assert {each.status for each in (found[before], found[both])} == {"confirmed"}
        assert {(found[each].status, found[each].reason) for each in lost} == {
            ("rejected", "forgotten")
        }
        assert found[both].block_hash == w.chain.block(found[both].block_height).ref.hash
        assert await w.wallet("mer_1") == (3 * PART - 3 * PART // 100, 0)
        assert (await w.wallet("custody"))[0] == -3 * PART
        assert {await w.wallet(each) for each in ("suspense", "external")} == {(0, 0)}
        assert (await w.events(found[false].id))[-1] == "deposit.reorged"
        assert "deposit.reorged" not in await w.events(found[both].id)
        await _of_record(w, old.epoch, plan.blocks)
        expected, owed = await _figures(w)
        assert (expected, owed) == (3 * PART, 3 * PART)

        w.chain.pool |= lost
        await w.chain.mine(4)
        await w.scan()
        await begin_again(w)
        assert {each.status for each in (await rows(w)).values()} == {"confirmed"}
        assert await w.wallet("mer_1") == (7 * PART - 7 * PART // 100, 0)
        assert await w.wallet("suspense") == (8 * PART, 0)
        assert await w.wallet("external") == (16 * PART, 0)
        assert (await w.wallet("custody"))[0] == -31 * PART
        journals = Counter(kind for kind, ref in await w.journals() if false in ref)
        assert journals == {"deposit": 2, "reversal": 1}
        assert await w.sum_is_zero()


async def _of_record(w: World, epoch: int, forgotten: int) -> None:
    """Hold the evidence: old blocks are still there, and the log says who did it."""
    assert (await cursor(w)).epoch > epoch + 1
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        orphaned = select(func.count()).where(Block.orphaned)
        assert await session.scalar(orphaned) == forgotten
        log = (await session.scalars(select(AuditLog).order_by(AuditLog.id))).all()
    assert Counter(each.action for each in log) == {
        "deposit.reversed": 3,
        "network.reopened": 1,
    }
    assert {each.actor for each in log} == {"operator:ada"}
    assert (log[-1].after or {})["reason"] == ORDER.reason


async def _figures(w: World) -> tuple[int, int]:
    """Return what the reconciler expects on the chain, and what the ledger owes."""
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        found = await books.totals(
            session, NETWORK, w.scanner.currencies, w.chain.final, fee_is_alone=True
        )
    return found["native"]


async def test_a_false_final_block_is_forgotten_when_the_lying_node_is_gone(
    database: FreshDatabase,
) -> None:
    """Money of a block that never was is taken back, and its invoice is not paid any more.

    The honest chain may still be shorter than the false one.
    """
    async with world(database) as w:
        await w.pay(w.assigned, PART)
        honest = copy.deepcopy(w.chain)
        await w.pay(w.assigned, DUE_UNITS)
        assert (await w.invoice()).status == "settled"
        await w.chain.mine(5)
        await w.scan()
        await honest.mine(4)
        w.scanner.reader = eyes(honest)
        await halted(w)
        w.chain = honest
        await reopened(w)
        assert await w.wallet("mer_1") == (PART, 0)
        assert (await w.wallet("custody"))[0] == -PART
        invoice = await w.invoice()
        assert (invoice.status, invoice.final) != ("settled", True)
        assert w.scanner.may_pay
        assert w.scanner.position.height == honest.head
        assert await w.sum_is_zero()


async def test_a_transaction_that_pays_another_amount_on_the_new_chain_is_credited_by_that(
    database: FreshDatabase,
) -> None:
    """The same name, another sum: taken back whole, and credited as the new chain has it."""
    async with world(database) as w:
        await w.chain.mine(3)
        tx_hash = await w.pay(w.assigned, 4 * PART)
        [(tx, _)] = w.chain.block(4).transactions
        changed = replace(tx, moves=(replace(tx.moves[0], units=PART),))
        w.chain.fork(3, keep=[])
        w.chain.pool = {tx_hash: changed}
        await w.chain.mine(4)
        await halted(w)
        plan = await reopened(w)
        assert len(plan.gone) == 1
        [deposit] = await w.deposits()
        assert (deposit.status, deposit.units) == ("confirmed", PART)
        assert await w.wallet("mer_1") == (PART, 0)
        assert (await w.wallet("custody"))[0] == -PART


async def test_what_stands_in_no_final_block_yet_is_taken_back_and_comes_back(
    database: FreshDatabase,
) -> None:
    """A block of the new chain that may go again keeps no credit alive."""
    async with world(database) as w:
        await w.chain.mine(3)
        tx_hash = await w.pay(w.assigned, PART)
        [(tx, _)] = w.chain.block(4).transactions
        w.chain.fork(3, keep=[])
        await w.chain.mine(2)
        w.chain.pool = {tx_hash: tx}
        await w.chain.mine()
        await halted(w)
        plan = await reopened(w)
        assert (len(plan.kept), len(plan.gone)) == (0, 1)
        [deposit] = await w.deposits()
        assert (deposit.status, await w.wallet("mer_1")) == ("pending", (0, 0))
        await w.chain.mine(2)
        await w.scan()
        assert await w.wallet("mer_1") == (PART, 0)


async def test_nothing_is_forgotten_on_the_word_of_too_few_nodes_or_without_need(
    database: FreshDatabase,
) -> None:
    """Not while it goes on, not where nodes differ or are silent, not where what was final stands."""
    async with world(database) as w:
        await w.pay(w.assigned, PART)
        with pytest.raises(CannotReopen, match="not halted"):
            await reopen.planned(w.scanner)
        old = copy.deepcopy(w.chain)
        await rewritten(w, 3)
        new = w.chain
        w.scanner.witnesses = {"a": eyes(new), "b": eyes(old)}
        with pytest.raises(CannotReopen, match="a another: remove the nodes that lie"):
            await reopen.planned(w.scanner)
        w.scanner.quorum = 2
        silent = copy.deepcopy(new)
        silent.down = True
        w.scanner.witnesses = {"a": eyes(new), "c": eyes(silent)}
        with pytest.raises(CannotReopen, match="1 of 2 nodes answer"):
            await reopen.planned(w.scanner)
        w.scanner.witnesses = {"b": eyes(old), "c": eyes(copy.deepcopy(old))}
        with pytest.raises(CannotReopen, match="nothing is contradicted"):
            await reopen.planned(w.scanner)
        w.scanner.witnesses = {"a": eyes(new), "d": eyes(copy.deepcopy(new))}
        assert len((await reopen.planned(w.scanner)).gone) == 1
        assert await w.wallet("mer_1") == (PART, 0)


async def test_one_of_two_nodes_that_does_not_answer_takes_no_deposit_back(
    database: FreshDatabase,
) -> None:
    """A node that cannot be asked for a transaction has not said that it is gone."""
    async with world(database) as w:
        await w.chain.mine(2)
        both = await w.pay(w.assigned, PART)
        await rewritten(w, 3, both)
        chain, tried = w.chain, w.scanner.locate
        assert tried is not None

        async def silent(reader: ChainReader, tx_hash: str) -> int | None:
            chain.down = True
            try:
                return await tried(reader, tx_hash)
            finally:
                chain.down = False

        w.scanner.locate = silent
        with pytest.raises(CannotReopen, match="0 of 1 nodes answer"):
            await reopen.planned(w.scanner)


def test_a_majority_is_as_many_as_the_quorum_and_more_than_the_others() -> None:
    """Neither side wins a tie, and one alone is no quorum of two."""
    assert majority({"a": True}, 1, "block 1")
    assert not majority({"a": False, "b": False, "c": True}, 2, "block 1")
    for said, quorum in (
        ({"a": True, "b": False}, 1),
        ({"a": True}, 2),
        ({"a": False}, 2),
    ):
        with pytest.raises(CannotReopen, match="block 1"):
            majority(said, quorum, "block 1")


async def test_a_plan_is_carried_out_only_where_nothing_has_moved(
    database: FreshDatabase,
) -> None:
    """Once, at the very cursor it was made for; the watcher that was running commits no more."""
    async with world(database) as w:
        await w.pay(w.assigned, PART)
        running = w.scanner
        await rewritten(w, 3)
        plan = await reopen.planned(w.scanner)
        taken = replace(plan.position, epoch=plan.position.epoch + 1)
        with pytest.raises(CannotReopen, match="moved meanwhile"):
            await reopen.carry_out(w.owner, replace(plan, position=taken), ORDER, now())
        with pytest.raises(CannotReopen, match="deposits changed"):
            await reopen.carry_out(w.owner, replace(plan, gone=()), ORDER, now())
        await reopen.carry_out(w.owner, plan, ORDER, now())
        with pytest.raises(CannotReopen, match="moved meanwhile"):
            await reopen.carry_out(w.owner, plan, ORDER, now())
        with pytest.raises((LeaseLost, FinalityBroken)):
            await running.step()
            await running.step()
        await begin_again(w)
        assert await w.wallet("mer_1") == (0, 0)
        assert (await w.wallet("custody"))[0] == 0


async def test_whatever_breaks_off_a_reopening_leaves_all_of_it_or_nothing(
    database: FreshDatabase,
) -> None:
    """Broken at every one of its statements in turn, it has changed nothing; then it is done."""
    async with world(database) as w:
        await w.chain.mine(2)
        both = await w.pay(w.assigned, PART)
        await w.pay(w.assigned, PART)
        await rewritten(w, w.chain.head - 2, both)
        plan = await reopen.planned(w.scanner)
        before = await _everything(w)
        engine = w.owner.engine.sync_engine
        sent = 0
        breaks_at: int | None = 1

        def broken(*_: object) -> None:
            nonlocal sent
            sent += 1
            if sent == breaks_at:
                raise ConnectionError("broken off")

        event.listen(engine, "before_cursor_execute", broken)
        try:
            while True:
                sent = 0
                try:
                    await reopen.carry_out(w.owner, plan, ORDER, now())
                except ConnectionError:
                    at, breaks_at = breaks_at, None
                    assert await _everything(w) == before, f"statement {at}"
                    breaks_at = (at or 0) + 1
                else:
                    break
        finally:
            event.remove(engine, "before_cursor_execute", broken)
        assert sent > 20
        await begin_again(w)
        assert await w.wallet("mer_1") == (PART, 0)
        assert (await w.wallet("custody"))[0] == -PART


async def _everything(w: World) -> tuple[object, ...]:
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        counts = [
            await session.scalar(select(func.count()).select_from(table))
            for table in (Journal, AuditLog)
        ]
        orphaned = await session.scalar(select(func.count()).where(Block.orphaned))
    found = await cursor(w)
    states = [(each.status, each.block_hash, each.reversals) for each in await w.deposits()]
    place = found.epoch, found.height, found.halted
    return place, states, counts, orphaned, await w.wallet("mer_1", ETH), NETWORK


async def test_what_operators_decided_about_a_deposit_is_called_back_and_stays_decided(
    database: FreshDatabase,
) -> None:
    """Its refund is not paid for nothing; what was assigned is the merchant's when it comes back."""
    async with bureau(database) as b:
        w = b.world
        await w.chain.mine(3)
        fork = w.chain.head
        assigned = await w.pay(w.free, PART)
        refunded = await w.pay(w.free, 2 * PART)
        lost = {tx.tx_hash: tx for each in w.chain.blocks for tx, _ in each.transactions}
        ids = {each.tx_hash: each.id for each in await w.deposits()}
        await b.resolved(ids[assigned], "assign", merchant_id="mer_1")
        paying = await b.resolved(ids[refunded], "refund", destination=SOMEWHERE)
        assert (paying["status"], await w.wallet("suspense")) == ("paying", (0, 2 * PART))
        assert await w.wallet("mer_1") == (PART, 0)

        await rewritten(w, w.chain.head - fork)
        await reopened(w)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            [withdrawal] = (await session.scalars(select(Withdrawal))).all()
        assert withdrawal.status == "rejected"
        assert {await w.wallet(each) for each in ("mer_1", "suspense", "custody")} == {(0, 0)}
        assert await b.carry_out()
        assert (await b.resolution(paying["id"]))["status"] == "failed"

        w.chain.pool |= lost
        await w.chain.mine(4)
        await w.scan()
        assert await w.wallet("mer_1") == (PART, 0)
        assert await w.wallet("suspense") == (2 * PART, 0)
        [open_one] = await b.unattributed()
        assert (open_one["id"], open_one["reason"]) == (
            ids[refunded],
            "address_not_assigned",
        )
