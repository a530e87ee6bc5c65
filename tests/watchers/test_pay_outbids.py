"""Transactions that wait: outbid in their own place, taken back, and only one of them lands."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.db import CROSS_TENANT
from gateway.models import ApplicationWallet, Attempt, CancelRequest, Withdrawal
from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_payouts import AMOUNT, BALANCE, DESTINATION, Desk, desk, keystore_house
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.pay import cancels
from watchers.pay.cancels import NotCanceled

pytestmark = pytest.mark.anyio
BLOCKS = 3
__all__ = ["keystore_house"]


async def ask_cancel(d: Desk, order_id: str, minutes: int = 0) -> None:
    """Wish that an order be taken back."""
    async with d.world.database.unit_of_work(CROSS_TENANT) as session:
        patience = timedelta(minutes=minutes)
        await cancels.ask(session, NETWORK, order_id, "test", now(), patience=patience)


async def wait_blocks(d: Desk, blocks: int = BLOCKS) -> None:
    """Let blocks pass that take nothing of ours."""
    for _ in range(blocks):
        d.world.chain.mine_only([])
    await d.world.scan()


async def land(d: Desk, attempt: Attempt) -> None:
    """Let one transaction land, whatever else waits, and become final."""
    d.world.chain.mine_only([attempt.tx_hash or ""])
    d.world.chain.pool.clear()
    await d.bury()


def fees(attempt: Attempt) -> tuple[int, int]:
    """Return what a transaction offers."""
    intent = attempt.intent
    return int(intent["max_fee_per_gas"]), int(intent["max_priority_fee_per_gas"])


async def test_what_waits_too_long_is_outbid_in_its_own_place(
    database: FreshDatabase, keystore_house: House
) -> None:
    """After the configured blocks, not before; both fees by an eighth; each signed before sent."""
    async with desk(database, keystore_house, bump_blocks=BLOCKS) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await wait_blocks(d, BLOCKS - 1)
        await d.payouts.round()
        assert len(await d.attempts()) == 1
        await wait_blocks(d, 1)
        await d.payouts.round()
        first, second = await d.attempts()
        assert (second.place, second.nonce, second.state) == (2, first.nonce, "signed")
        assert all(
            new * 8 >= old * 9 for new, old in zip(fees(second), fees(first), strict=True)
        )
        assert set(d.world.chain.broadcasts) == {first.tx_hash, second.tx_hash}
        assert (await d.withdrawal(id_)).tx_hash == second.tx_hash
        await d.payouts.round()
        assert len(await d.attempts()) == 2, "its own patience has just begun"


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_whichever_of_an_order_lands_pays_it_once(
    database: FreshDatabase, keystore_house: House, place: int
) -> None:
    """The others end as replaced, the fee of the one is booked, the hash is the one that landed."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        for _ in range(3):
            await d.payouts.round()
            await wait_blocks(d, 1)
        order = await d.attempts()
        assert [each.place for each in order] == [1, 2, 3]
        await land(d, order[place])
        paid = await d.withdrawal(id_)
        assert (paid.status, paid.tx_hash) == ("completed", order[place].tx_hash)
        states = [each.state for each in await d.attempts()]
        assert states == ["succeeded" if at == place else "replaced" for at in range(3)]
        expense = (await d.world.wallet("expense"))[0]
        assert paid.network_fee_units == -expense > 0
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        assert -(await d.world.wallet("custody"))[0] == BALANCE + await d.world.chain.balance(
            d.world.hot
        )
        assert await d.world.sum_is_zero()


async def test_a_base_fee_above_the_offer_raises_it_at_once(
    database: FreshDatabase, keystore_house: House
) -> None:
    """No block would take it, so no block is waited for; the market's own fee is offered."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        await d.request(1)
        await d.payouts.round()
        d.writer.base_fee_wei *= 10
        await d.payouts.round()
        first, second = await d.attempts()
        assert fees(second)[0] > 2 * d.writer.base_fee_wei > fees(first)[0]


async def test_only_the_lowest_nonce_that_waits_is_outbid(
    database: FreshDatabase, keystore_house: House
) -> None:
    """All others wait for it."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        for number in (1, 2, 3):
            await d.request(number)
        await d.payouts.round()
        await wait_blocks(d)
        await d.payouts.round()
        raised = [each.nonce for each in await d.attempts() if each.place > 1]
        assert raised == [d.first_nonce]


async def test_at_the_ceiling_it_says_so_and_goes_no_higher(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The operator's most is the most, whatever the market asks."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        d.writer.base_fee_wei = 10**16
        for _ in range(4):
            await wait_blocks(d, 1)
            await d.payouts.round()
        costs = [fees(each)[0] * each.intent["gas_limit"] for each in await d.attempts()]
        assert max(costs) <= 10**17
        reason = (await d.withdrawal(id_)).blocked_reason or ""
        assert "at its ceiling" in reason


async def test_a_canceled_payout_gives_its_hold_back_when_the_cancel_is_final(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Nothing moves but the fee; before finality the money stays held."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        before = await d.world.wallet("mer_1")
        await d.payouts.round()
        await ask_cancel(d, id_)
        await d.payouts.round()
        payment, cancel = await d.attempts()
        assert (cancel.purpose, cancel.place, cancel.nonce) == ("cancel", 2, payment.nonce)
        assert (cancel.intent["to"], cancel.intent["units"]) == (d.world.hot, "0")
        d.world.chain.mine_only([cancel.tx_hash or ""])
        await d.world.scan()
        assert (await d.withdrawal(id_)).status == "broadcast"
        await d.bury()
        failed = await d.withdrawal(id_)
        assert (failed.status, "canceled" in (failed.failure_reason or "")) == ("failed", True)
        assert await d.world.wallet("mer_1") == (before[0] + AMOUNT, 0)
        assert await d.world.chain.balance(DESTINATION) == 0
        states = [each.state for each in await d.attempts()]
        assert states == ["replaced", "succeeded"]
        assert (await d.world.wallet("expense"))[0] == -(failed.network_fee_units or 0) < 0
        assert await d.world.sum_is_zero()
        await d.payouts.round()
        assert await answer(d) == "canceled"


async def test_a_payment_that_outruns_its_cancel_is_paid(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The chain took the first one: the withdrawal is completed, and the cancel replaced."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await ask_cancel(d, id_)
        await d.payouts.round()
        payment, _ = await d.attempts()
        await land(d, payment)
        assert (await d.withdrawal(id_)).status == "completed"
        assert [each.state for each in await d.attempts()] == ["succeeded", "replaced"]
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        await d.payouts.round()
        assert await answer(d) == "its transaction landed first"


async def test_a_payment_that_is_being_canceled_is_not_sent_again(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Only the cancel is; and the next payout goes behind it without a gap."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await ask_cancel(d, id_)
        await d.payouts.round()
        payment, cancel = await d.attempts()
        d.writer.manner = Broadcast.TAKE
        d.world.chain.broadcasts.clear()
        await d.rest()
        other = await d.request(2)
        await d.payouts.round()
        assert payment.tx_hash not in d.world.chain.broadcasts
        assert cancel.tx_hash in d.world.chain.broadcasts
        await d.bury()
        assert (await d.withdrawal(id_)).status == "failed"
        assert (await d.withdrawal(other)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_a_cancel_that_waits_too_long_is_outbid_as_a_cancel(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The place is still the same, and no payment comes back into it."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await ask_cancel(d, id_)
        await d.payouts.round()
        await wait_blocks(d)
        await d.payouts.round()
        order = await d.attempts()
        assert [each.purpose for each in order] == ["payout", "cancel", "cancel"]
        await land(d, order[2])
        assert (await d.withdrawal(id_)).status == "failed"


async def test_a_cancel_that_comes_too_early_or_for_nothing_is_refused(
    database: FreshDatabase, keystore_house: House
) -> None:
    """With the reason; nothing is written."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        with pytest.raises(NotCanceled, match="no transaction"):
            await ask_cancel(d, id_)
        await d.payouts.round()
        with pytest.raises(NotCanceled, match="30 minutes are needed"):
            await ask_cancel(d, id_, minutes=30)
        await ask_cancel(d, id_)
        with pytest.raises(NotCanceled, match="already"):
            await ask_cancel(d, id_)
        [attempt] = await d.attempts()
        await land(d, attempt)
        with pytest.raises(NotCanceled, match="has ended"):
            await ask_cancel(d, id_)


async def test_what_was_never_signed_is_given_up_at_once(
    database: FreshDatabase, keystore_house: House
) -> None:
    """No bytes exist: the nonce and the hold go back, and the next payout takes the nonce."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.adoption.round()
        assert await d.payouts.claims.claim()
        await ask_cancel(d, id_)
        other = await d.request(2)
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "failed"
        assert (await d.withdrawal(other)).status == "completed"
        assert [a.nonce for a in await d.attempts() if a.nonce is not None] == [d.first_nonce]
        assert (await d.world.wallet("mer_1"))[1] == 0


async def test_an_orphaned_payment_and_its_cancel_settle_whichever_comes_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The payment stood in a block, the block fell, the cancel landed: nothing was paid."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await ask_cancel(d, id_)
        await d.payouts.round()
        payment, cancel = await d.attempts()
        d.world.chain.mine_only([payment.tx_hash or ""])
        await d.world.scan()
        assert (await d.withdrawal(id_)).status == "confirming"
        d.world.chain.fork(1, keep=[])
        d.world.chain.mine_only([cancel.tx_hash or ""])
        await d.world.scan()
        assert (await d.withdrawal(id_)).status == "broadcast"
        await d.bury()
        assert (await d.withdrawal(id_)).status == "failed"
        assert await d.world.chain.balance(DESTINATION) == 0
        assert (await d.world.wallet("mer_1"))[1] == 0


@pytest.mark.parametrize(
    ("purpose", "change", "reason"),
    [
        ("payout", {"units": str(AMOUNT * 2)}, "units is not the withdrawal's"),
        ("payout", {"gas_limit": 30_000}, "the replacement is another payment"),
        ("cancel", {}, "does more than to take its place"),
    ],
)
async def test_rows_that_say_another_payment_are_not_signed_in_its_place(
    database: FreshDatabase,
    keystore_house: House,
    purpose: str,
    change: dict[str, Any],
    reason: str,
) -> None:
    """A replacement written by hand is not shown to the keystore, which would refuse it too."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        [first] = await d.attempts()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Attempt(
                    id="att_forged",
                    network_id=NETWORK,
                    purpose=purpose,
                    withdrawal_id=id_,
                    order_id=id_,
                    place=2,
                    intent={**first.intent, **change},
                    sender=first.sender,
                    nonce=first.nonce,
                    state="prepared",
                    broadcasts=0,
                    created_at=now().at,
                )
            )
        await d.payouts.round()
        assert [each.state for each in await d.attempts()] == ["signed", "prepared"]
        assert reason in ((await d.withdrawal(id_)).blocked_reason or "")


async def answer(d: Desk) -> str | None:
    """Return what became of the one wish."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        return await session.scalar(select(CancelRequest.answer))


async def test_a_hole_in_the_book_is_filled_by_the_next_payout(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Rows lost by hand leave a nonce that all later ones wait for: the next one takes it."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        await d.request(1)
        await d.payouts.round()
        [first] = await d.attempts()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(ApplicationWallet)
                .where(ApplicationWallet.address == d.world.hot)
                .values(next_nonce=d.first_nonce + 2)
            )
        for number in (2, 3):
            await d.request(number)
            await d.payouts.round()
        nonces = [each.nonce for each in await d.attempts()]
        assert nonces == [d.first_nonce, d.first_nonce + 1, d.first_nonce + 2]
        assert first.nonce == d.first_nonce
        d.writer.manner = Broadcast.TAKE
        await d.rest()
        await d.payouts.round()
        await d.bury()
        assert await d.world.chain.balance(DESTINATION) == 3 * AMOUNT
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            statuses = set(await session.scalars(select(Withdrawal.status)))
        assert statuses == {"completed"}
