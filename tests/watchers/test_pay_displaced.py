"""An order whose nonce a stranger's transaction took: a person names that one, our blocks prove it."""

from contextlib import aclosing
from dataclasses import replace

import pytest
from sqlalchemy import select, text, update

from gateway.audit import reason
from gateway.db import CROSS_TENANT
from gateway.models import Attempt, AuditLog, CancelRequest, Cursor, Event
from gateway.settings import SettingsError
from tests.conftest import FreshDatabase
from tests.fakes.chain import FakeTransaction, Move
from tests.fakes.network import Broadcast
from tests.fakes.node import serving
from tests.keystore.house import House
from tests.watchers.test_pay_outbids import ask_cancel, wait_blocks
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk, keystore_house
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.network import Incomplete, NodeUnavailable, Place, Placed
from watchers.networks.ethereum.counted import counted
from watchers.pay import displaced
from watchers.pay.displaced import Displacement
from watchers.pay.judged import NotSettled
from watchers.pay.numbers import unread
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]
STRANGER = "0x" + "5e" * 32


async def taken(d: Desk, *, to: str = "0x" + "cd" * 20, final: bool = True) -> Displacement:
    """Let a stranger's transaction take the first nonce; tell of it as an operator does."""
    chain, nonce = d.world.chain, d.first_nonce
    other = FakeTransaction(
        STRANGER, d.world.hot, (Move(to, AMOUNT, "native"),), 21_000, 10**9, nonce=nonce
    )
    chain.pool = {STRANGER: other}
    await chain.mine()
    height = chain.head
    await d.world.scan()
    if final:
        await d.bury()
    block = chain.block(height).ref
    where = Placed(d.world.hot, nonce, height, block.hash)
    return Displacement(NETWORK, "", STRANGER, where, paid=False, person="tester", reason="key")


async def end(d: Desk, told: Displacement) -> None:
    """Carry it out."""
    reader = d.world.scanner.reader
    await displaced.settle(d.world.database, [reader], told, now())


async def test_a_displaced_payout_fails_once_and_gives_its_hold_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Payment, bump and cancel end together; the wish is answered, the log has it, nothing lands."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        before = await d.world.wallet("mer_1")
        id_ = await d.request(1)
        await d.payouts.round()
        await wait_blocks(d, 1)
        await d.payouts.round()
        await ask_cancel(d, id_)
        await d.payouts.round()
        assert [each.purpose for each in await d.attempts()] == ["payout", "payout", "cancel"]
        told = replace(await taken(d), order_id=id_)
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "broadcast", "no count and no clock ends it"
        await end(d, told)
        failed = await d.withdrawal(id_)
        assert (failed.status, STRANGER in (failed.failure_reason or "")) == ("failed", True)
        assert await d.world.wallet("mer_1") == before
        assert {each.state for each in await d.attempts()} == {"replaced"}
        assert await d.world.sum_is_zero()
        with pytest.raises(NotSettled, match="does not wait"):
            await end(d, told)
        await d.rest()
        await d.payouts.round()
        await d.bury()
        assert await d.world.chain.balance(DESTINATION) == 0
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            [row] = await session.scalars(
                select(AuditLog).where(AuditLog.action == "order.displaced")
            )
            [wish] = await session.scalars(select(CancelRequest))
        assert (row.actor, row.subject, row.merchant_id) == ("operator:tester", id_, "mer_1")
        assert (row.after or {})["taken_by"] == STRANGER
        assert wish.answer == "a transaction of no order took its place"


async def test_nothing_but_a_final_block_of_ours_with_the_other_transaction_ends_it(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Not an earlier block, another nonce, its own hash, another chain's order, or a node's word."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        [attempt] = await d.attempts()
        told = replace(await taken(d, final=False), order_id=id_)
        with pytest.raises(NotSettled, match="not final"):
            await end(d, told)
        await d.bury()
        where = told.placed
        for wrong, why in (
            (replace(told, placed=replace(where, nonce=d.first_nonce + 1)), "takes nonce"),
            (replace(told, placed=replace(where, sender=DESTINATION)), "takes nonce"),
            (replace(told, placed=replace(where, block_hash="0xother")), "not one of ours"),
            (replace(told, placed=replace(where, height=where.height - 1)), "not one of ours"),
            (replace(told, tx_hash=attempt.tx_hash or ""), "is our own"),
            (replace(told, tx_hash="0x" + "77" * 32), "does not hold"),
            (replace(told, order_id="wdr_other"), "no such order"),
            (replace(told, network="tron"), "no such order"),
            (replace(told, paid=True), "does not show the transfer"),
        ):
            with pytest.raises(NotSettled, match=why):
                await end(d, wrong)
        with pytest.raises(NotSettled, match="no node shows"):
            await displaced.settle(d.world.database, [], told, now())
        await halt(d, "the node contradicts what was final")
        with pytest.raises(NotSettled, match="not final"):
            await end(d, told)
        await halt(d, None)
        assert (await d.withdrawal(id_)).status == "broadcast"
        await end(d, told)


async def halt(d: Desk, reason: str | None) -> None:
    """Say that a node contradicts what was final, or no longer."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(update(Cursor).values(halted=reason))


async def test_what_paid_the_very_destination_is_paid_and_never_failed(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Somebody paid it by hand with the wallet's key: the merchant has no claim to it again."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        before = await d.world.wallet("mer_1")
        id_ = await d.request(1)
        await d.payouts.round()
        told = replace(await taken(d, to=DESTINATION), order_id=id_)
        with pytest.raises(NotSettled, match="shows the very transfer"):
            await end(d, told)
        await end(d, replace(told, paid=True))
        paid = await d.withdrawal(id_)
        assert (paid.status, paid.tx_hash) == ("completed", STRANGER)
        assert await d.world.wallet("mer_1") == (before[0] - AMOUNT, 0)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            told_of = select(Event.data).where(Event.type == "withdrawal.completed")
            [data] = await session.scalars(told_of)
        assert data["object"]["tx_hash"] == STRANGER


async def test_an_order_on_a_nonce_lane_ends_where_another_spent_its_value(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Not on another value or account, and not before our scan is where the value was seen gone."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        before = await d.world.wallet("mer_1")
        id_ = await d.request(1)
        await d.payouts.round()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("ALTER TABLE attempt DISABLE TRIGGER USER"))
            lane = {"nonce": None, "nonce_account": "lane", "nonce_value": "value"}
            await session.execute(update(Attempt).values(**lane))
        place = await displaced.place_of(d.world.database, NETWORK, id_)
        assert place == Place(d.world.hot, None, "lane", "value")
        told = replace(await taken(d), order_id=id_)
        where = replace(told.placed, nonce=None, nonce_account="lane", nonce_value="value")
        later = d.world.chain.head
        for wrong, why in (
            (replace(where, nonce_value="other"), "takes nonce value of lane"),
            (replace(where, nonce_account="other"), "takes nonce value of lane"),
            (replace(where, gone_at=later), f"block {later} is not final"),
        ):
            with pytest.raises(NotSettled, match=why):
                await end(d, replace(told, placed=wrong))
        assert not await displaced.reached(d.world.database, NETWORK, later)
        await d.bury()
        assert await displaced.reached(d.world.database, NETWORK, later)
        await end(d, replace(told, placed=replace(where, gone_at=later)))
        assert (await d.withdrawal(id_)).status == "failed"
        assert await d.world.wallet("mer_1") == before
        assert {each.state for each in await d.attempts()} == {"replaced"}


async def test_a_transaction_of_another_order_of_ours_displaces_none(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A node that lies about its nonce would have what may still land given back."""
    async with desk(database, keystore_house) as d:
        await d.request(1)
        await d.payouts.round()
        await d.bury()
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(2)
        await d.payouts.round()
        landed, waiting = await d.attempts()
        where = Placed(
            d.world.hot, waiting.nonce or 0, landed.block_height or 0, landed.block_hash or ""
        )
        told = Displacement(
            NETWORK, id_, landed.tx_hash or "", where, paid=False, person="tester", reason="key"
        )
        for paid in (False, True):
            with pytest.raises(NotSettled, match=f"is our own, of {landed.order_id}"):
                await end(d, replace(told, paid=paid))
        assert (await d.withdrawal(id_)).status == "broadcast"


async def test_what_stands_in_a_block_or_has_no_bytes_is_not_displaced(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It landed itself, or is still to be signed: then it is canceled."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.adoption.round()
        assert await d.payouts.claims.claim()
        told = replace(await taken(d), order_id=id_)
        with pytest.raises(NotSettled, match="does not wait"):
            await end(d, told)
        assert not await unread(d.world.database, d.payouts.keystore, NETWORK)
        [prepared] = await d.attempts()
        await d.payouts.hands.signed(prepared)
        assert await unread(d.world.database, d.payouts.keystore, NETWORK)


def test_only_what_enough_nodes_tell_alike_is_believed() -> None:
    """A node that is silent or does not know it says nothing; two that differ stop it."""
    here, there = Placed("0xa", 7, 5, "0xb"), Placed("0xa", 7, 6, "0xc")
    silent = NodeUnavailable("away")
    said: dict[str, Placed | Exception | None] = {
        "one": here, "two": here, "three": silent, "four": None,
    }  # fmt: skip
    assert displaced.agreed(said, 2) == here
    seen = {"one": replace(here, gone_at=8), "two": replace(here, gone_at=9), "three": here}
    assert displaced.agreed(seen, 3).gone_at == 9
    with pytest.raises(NotSettled, match=r"1 of 2 nodes .*; three: later"):
        displaced.agreed({"one": here, "two": None, "three": Incomplete("later")}, 2)
    with pytest.raises(NotSettled, match="do not agree about it: one, two"):
        displaced.agreed({"one": here, "two": there}, 1)


async def test_where_the_chain_names_no_final_block_the_configured_depth_counts() -> None:
    """A chain without the tag `finalized` is asked for a block so far below its head."""

    def node(method: str, params: list[str]) -> str:
        return (
            "0x19" if method == "eth_blockNumber" else {"0x5": "0x3", "0x0": "0x0"}[params[1]]
        )

    async with serving(node) as one, aclosing(Endpoints([one.url])) as endpoints:
        assert await counted(endpoints, "0xa", 20) == 3
        assert await counted(endpoints, "0xa", 30) == 0


def test_a_reason_is_stated_in_one_to_five_hundred_characters() -> None:
    """It stands in the audit log for good."""
    assert reason.stated("  lost key ") == "lost key"
    for words in ("", "  ", "x" * 501):
        with pytest.raises(SettingsError, match="--reason"):
            reason.stated(words)
