"""A database put back to an older copy: every transaction of an order comes back, and the house's."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet, Attempt, AuditLog, Signature, Withdrawal
from gateway.withdrawals import repository
from gateway.withdrawals.moves import move
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_command import config, run
from tests.watchers.test_pay_outbids import ask_cancel, land, wait_blocks
from tests.watchers.test_payouts import (
    AMOUNT,
    BALANCE,
    DESTINATION,
    Desk,
    desk,
    keystore_house,
    release,
    restored,
)
from tests.watchers.world import ETH, NETWORK, USDC
from watchers.clock import now
from watchers.network import Slot
from watchers.pay import keepers
from watchers.pay.keepers import End, Keeper
from watchers.pay.slots import Slots, SlotTaken
from watchers.pay.transactions import HouseOrder, begin

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


async def bumped_and_canceled(d: Desk) -> tuple[str, list[Attempt]]:
    """Sign a payment, a second one in its place, and its cancel; none of them lands."""
    d.writer.manner = Broadcast.REFUSE
    id_ = await d.request(1)
    await d.payouts.round()
    await wait_blocks(d, 1)
    await d.payouts.round()
    await ask_cancel(d, id_)
    await d.payouts.round()
    order = await d.attempts()
    assert [each.purpose for each in order] == ["payout", "payout", "cancel"]
    return id_, order


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_every_transaction_of_an_order_is_taken_over(
    database: FreshDatabase, keystore_house: House, place: int
) -> None:
    """Payment, bump and cancel, each in its place; whichever lands decides."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        id_, order = await bumped_and_canceled(d)
        await restored(d, id_, "approved")
        d.again()
        await d.payouts.round()
        again = await d.attempts()
        assert [(each.purpose, each.place, each.tx_hash) for each in again][:3] == [
            (each.purpose, each.place, each.tx_hash) for each in order
        ]
        assert (await d.withdrawal(id_)).status == "broadcast"
        await land(d, order[place])
        ended = await d.withdrawal(id_)
        assert ended.status == ("failed" if place == 2 else "completed")
        paid = 0 if place == 2 else AMOUNT
        assert await d.world.chain.balance(DESTINATION) == paid
        assert (await d.world.wallet("mer_1"))[1] == 0
        assert await d.world.sum_is_zero()


async def test_a_bump_that_the_copy_does_not_have_is_taken_over(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The copy was made between the payment and its bump; the bump landed."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await wait_blocks(d, 1)
        await d.payouts.round()
        _, bump = await d.attempts()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(Attempt).where(Attempt.id == bump.id))
            await session.execute(delete(Signature).where(Signature.tx_hash == bump.tx_hash))
        d.again()
        await d.payouts.round()
        await land(d, bump)
        paid = await d.withdrawal(id_)
        assert (paid.status, paid.tx_hash) == ("completed", bump.tx_hash)


async def test_a_bump_that_was_signed_too_late_changes_nothing(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The process died before it kept the bump; the payment itself was final by then."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await wait_blocks(d, 1)
        await d.payouts.outbids.round()
        first, bump = await d.attempts()
        await d.payouts.hands.signed(bump)
        await land(d, first)
        assert [each.state for each in await d.attempts()] == ["succeeded", "refused"]
        d.again()
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "completed"
        states = [(each.place, each.state) for each in await d.attempts()]
        assert sorted(states) == [(1, "succeeded"), (2, "refused"), (2, "replaced")]
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_a_forgotten_payment_that_no_row_asks_for_is_not_sent_and_its_nonce_is_filled(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Nodes forgot it too: the next payout would wait for its nonce for ever."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        lost = await d.request(1)
        await d.payouts.round()
        await restored(d, lost, "approved")
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(Withdrawal).where(Withdrawal.id == lost))
        d.world.chain.broadcasts.clear()
        d.writer.manner = Broadcast.TAKE
        other = await d.request(2, units=AMOUNT + 1)
        d.again()
        await d.payouts.round()
        await release(d)
        for _ in range(2):
            await d.payouts.round()
            await d.rest()
        await d.bury()
        order = [(each.purpose, each.place, each.state) for each in await d.attempts()]
        assert order == [
            ("lost", 1, "replaced"),
            ("cancel", 2, "succeeded"),
            ("payout", 1, "succeeded"),
        ]
        assert (await d.withdrawal(other)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT + 1


async def test_a_forgotten_payment_that_was_signed_with_another_intent_is_not_paid_again(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The row of the copy was edited: it asks for more than was signed, and gets nothing."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await restored(d, id_, "approved")
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text("ALTER TABLE withdrawal DISABLE TRIGGER withdrawal_guard")
            )
            edited = update(Withdrawal).where(Withdrawal.id == id_)
            await session.execute(edited.values(destination="0x" + "cd" * 20))
            await session.execute(
                text("ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_guard")
            )
        d.again()
        await d.payouts.round()
        await release(d)
        await d.payouts.round()
        waiting = await d.withdrawal(id_)
        assert waiting.status == "approved"
        assert "was signed for it before" in (waiting.blocked_reason or "")
        purposes = {each.purpose for each in await d.attempts()}
        assert purposes == {"lost", "cancel"}


async def test_a_balance_that_was_paid_by_a_lost_payment_pays_nobody_until_an_operator_looked(
    database: FreshDatabase, keystore_house: House, tmp_path: Path
) -> None:
    """Canceled after the restore, though it had been signed: its money is free in the books only."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.round()
        await d.world.chain.mine()
        await restored(d, id_, "approved")
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            row = await repository.locked(session, id_)
            assert row is not None
            await move(session, row, "canceled", now())
        other = await d.request(2)
        tokens = await d.request(3, USDC, 5 * 10**6)
        d.again()
        await d.payouts.round()
        await d.bury()
        waiting = await d.withdrawal(other)
        assert waiting.status == "approved"
        assert f"is held (lost): {id_}, signed as 0x" in (waiting.blocked_reason or "")
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        assert (await d.withdrawal(tokens)).status == "completed", "another asset goes on"
        path = config(tmp_path, database, "http://127.0.0.1:1", d.world.chain.identity)
        words = ("reconcile", NETWORK, "--config", str(path), "--release", ETH)
        mute = await asyncio.to_thread(run, *words)
        assert (mute.returncode, "--reason" in mute.stderr) == (1, True)
        done = await asyncio.to_thread(run, *words, "--reason", "paid; the shop returned it")
        assert (done.returncode, done.stderr) == (0, f"{ETH}: released\n")
        again = await asyncio.to_thread(run, *words, "--reason", "paid")
        assert (again.returncode, "no signed payment holds" in again.stderr) == (1, True)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            [line] = (await session.scalars(select(AuditLog))).all()
            await session.execute(update(Withdrawal).values(blocked_reason=None))
        assert (line.action, line.subject) == ("lost_payment.release", ETH)
        await d.payouts.round()
        assert (await d.withdrawal(other)).status == "broadcast"


class Witness(Keeper):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    async def signed(self, session: Any, attempt: Attempt, moment: Any) -> None:
        """Remember."""
        del session, moment
        self.heard.append(("signed", attempt.order_id))

    async def ended(self, session: Any, attempt: Attempt, end: End, moment: Any) -> None:
        """Remember how."""
        del session, moment
        self.heard.append((end.fate, attempt.order_id))

    async def adopted(self, session: Any, attempt: Attempt, moment: Any) -> None:
        """Remember."""
        del session, moment
        self.heard.append(("adopted", attempt.order_id))


async def house_order(d: Desk, keystore: KeystoreClient, purpose: str, id_: str) -> HouseOrder:
    """Write an order of the house whose sender can pay it."""
    wallets = {each.purpose: each.address for each in await keystore.wallets(NETWORK)}
    index = d.first_nonce  # an address that no other test has signed for
    [row] = await keystore.derive_pool(NETWORK, index, 1)
    ends: Mapping[str, tuple[str, str, str]] = {
        "refill": (wallets["hot"], wallets["gas"], "hot"),
        "top_up": (wallets["gas"], row.address, "gas"),
        "sweep": (row.address, wallets["hot"], f"pool/{index}"),
    }
    sender, to, source = ends[purpose]
    await d.world.chain.pay(sender, BALANCE)
    slot = await Slots(NETWORK, d.payouts.chain, d.world.database).next(sender)
    assert slot is not None
    intent = {
        "family": "ethereum",
        "withdrawal_id": id_,
        "network": NETWORK,
        "asset": "native",
        "to": to,
        "units": str(AMOUNT),
        "chain_id": d.world.chain.chain_id,
        "nonce": slot.nonce,
        "gas_limit": 21_000,
        "max_fee_per_gas": str(3 * 10**9),
        "max_priority_fee_per_gas": str(10**8),
        "source": source,
    } | ({"pool_index": index} if purpose == "top_up" else {})
    return HouseOrder(id_, purpose, intent, sender, slot)


@pytest.mark.parametrize("purpose", ["refill", "top_up", "sweep"])
@pytest.mark.parametrize("forgotten", [False, True], ids=["known", "forgotten"])
async def test_an_order_of_the_house_takes_the_same_road(
    database: FreshDatabase, keystore_house: House, purpose: str, *, forgotten: bool
) -> None:
    """Signed, sent, settled, its fee booked once; forgotten, it comes back with its purpose."""
    async with desk(database, keystore_house) as d:
        witness = Witness()
        keepers.register(d.world.database, purpose, witness)
        id_ = f"hse_{purpose}_{d.first_nonce}"
        await number_the_house(d)
        order = await house_order(d, d.payouts.keystore, purpose, id_)
        async with d.world.database.unit_of_work(CROSS_TENANT) as session:
            await begin(session, NETWORK, order, now())
        slots = Slots(NETWORK, d.payouts.chain, d.world.database)
        assert await slots.next(order.sender) is None, "one unsigned transaction at a time"
        behind = HouseOrder(
            f"{id_}_2", purpose, {**order.intent, "withdrawal_id": f"{id_}_2"}, order.sender,
            Slot(nonce=(order.slot.nonce or 0) + 1),
        )  # fmt: skip
        with pytest.raises(SlotTaken, match="waits for its signature"):
            async with d.world.database.unit_of_work(CROSS_TENANT) as session:
                await begin(session, NETWORK, behind, now())
        await d.payouts.round()
        if forgotten:
            async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
                await session.execute(delete(Signature).where(Signature.withdrawal_id == id_))
                await session.execute(delete(Attempt))
            d.again()
            await d.payouts.round()
        [attempt] = [each for each in await d.attempts() if each.order_id == id_]
        assert (attempt.purpose, attempt.state, attempt.withdrawal_id) == (
            purpose,
            "signed",
            None,
        )
        assert await slots.next(order.sender) == Slot(nonce=(order.slot.nonce or 0) + 1)
        spent = (await d.world.wallet("expense"))[0]
        await d.bury()
        heard = ["signed", "adopted", "succeeded"] if forgotten else ["signed", "succeeded"]
        assert witness.heard == [(each, id_) for each in heard]
        fee = 21_000 * (10**9 + 10**8)
        assert (await d.world.wallet("expense"))[0] == spent - fee
        assert await d.world.sum_is_zero()


async def number_the_house(d: Desk) -> None:
    """Begin every wallet of the house at this test's own nonces: the keystore remembers all."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        wallets = (await session.scalars(select(ApplicationWallet))).all()
        for wallet in wallets:
            wallet.next_nonce = d.first_nonce
            d.world.chain.state.nonces[wallet.address] = d.first_nonce


async def test_who_follows_orders_of_the_house_is_known_to_one_database_alone(
    database: FreshDatabase,
) -> None:
    """Another one in the same process has keepers of its own, and payouts have theirs anywhere."""
    one, other = (Database(database.url("watcher"), pool_size=1) for _ in range(2))
    keepers.register(one, "sweep", mine := Keeper())
    found = []
    for each in (one, other):
        async with each.unit_of_work(CROSS_TENANT) as session:
            for purpose in ("sweep", "payout"):
                attempt = Attempt(purpose=purpose)
                found.append(await keepers.keeper_of(session, attempt))
        await each.aclose()
    assert [each is mine for each in found] == [True, False, False, False]
    assert found[1] is found[3], "payouts"
