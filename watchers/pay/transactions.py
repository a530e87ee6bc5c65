"""Every transaction of ours begins here, whoever it is for, and takes the same road.

`prepared` (intent and its place on the chain committed) -> `signed` (bytes and hash committed)
-> sent until it lands -> `included` -> `succeeded` or `failed` at finality. What would not be
signed is `refused`; of several in one place all but the one that landed end as `replaced`.

How the house moves its own money (sweeps, top-ups, refills, cold storage, lent energy):

    slot = await Slots(network, chain, database).next(sender)      # None: wait; Refused: halted
    intent = ...                                                   # an intent of `keystore.api`
    async with database.unit_of_work(CROSS_TENANT) as session:
        await store.hold_lease(session, position)
        order = HouseOrder(order_id, "sweep", intent, sender, slot)
        attempt = await begin(session, network, order, moment)     # SlotTaken: another time

together with the rows that say what it is for. `order_id` is a new id that is also the intent's
`withdrawal_id`. From there on nothing is left to do: `payouts.Payouts.round` signs and sends
what is prepared, whatever its purpose (the writer's `verify` must know the intent's family),
raises the fee of what waits too long, takes it over again after a restore, and the settler
books the network's fee once for each transaction that lands. `keepers.register(database, purpose, keeper)`
tells the room that began it: `signed`, `refused`, `included`, `ended`, `adopted`.

On Solana `sender` is the fee payer (the hot wallet) and `slot.nonce_account` the lane; the
intent's `nonce_value` must be read after the slot was chosen. On Ethereum each sender has one
unsigned transaction at a time: `next` says None until the payer's round has signed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import Attempt, CancelRequest, ReopenedOrder, Withdrawal
from watchers.network import Slot
from watchers.pay import slots

LIVE = ("signed", "included")
OPEN = slots.OPEN
ENDED = ("succeeded", "failed", "replaced")
HOUSE = frozenset({"sweep", "top_up", "refill", "cold", "resource"})


@dataclass(frozen=True, slots=True)
class HouseOrder:
    """An order of the house, complete: who pays, where it stands on the chain, what it does."""

    order_id: str
    purpose: str
    intent: Mapping[str, Any]
    sender: str
    slot: Slot


async def begin(
    session: AsyncSession, network: str, order: HouseOrder, moment: Moment
) -> Attempt:
    """Commit an order of the house with the caller's own rows; it is signed in the next round.

    Raises `slots.SlotTaken` where its place on the chain is no longer free.
    """
    if order.purpose not in HOUSE or order.intent.get("withdrawal_id") != order.order_id:
        raise ValueError(f"{order.order_id}: not an order of the house, or of another id")
    return await first(session, network, order, moment, withdrawal_id=None)


async def first(
    session: AsyncSession,
    network: str,
    order: HouseOrder,
    moment: Moment,
    *,
    withdrawal_id: str | None,
) -> Attempt:
    """Take the place and write the first transaction of an order, not yet signed."""
    value = order.intent.get("nonce_value")
    await slots.take(session, network, order.sender, order.slot, value)
    attempt = Attempt(
        id=moment.id("att"),
        network_id=network,
        purpose=order.purpose,
        withdrawal_id=withdrawal_id,
        order_id=order.order_id,
        intent=dict(order.intent),
        sender=order.sender,
        nonce=order.slot.nonce,
        nonce_account=order.slot.nonce_account,
        nonce_value=value,
        state="prepared",
        broadcasts=0,
        created_at=moment.at,
    )
    session.add(attempt)
    await session.flush()
    return attempt


async def replacement(
    session: AsyncSession,
    newest: Attempt,
    intent: Mapping[str, Any],
    moment: Moment,
    *,
    purpose: str,
) -> Attempt:
    """Write a transaction that competes with `newest` for its place, not yet signed."""
    attempt = Attempt(
        id=moment.id("att"),
        network_id=newest.network_id,
        purpose=purpose,
        withdrawal_id=newest.withdrawal_id,
        order_id=newest.order_id,
        place=newest.place + 1,
        intent=dict(intent),
        sender=newest.sender,
        nonce=newest.nonce,
        nonce_account=newest.nonce_account,
        nonce_value=newest.nonce_value,
        state="prepared",
        broadcasts=0,
        created_at=moment.at,
    )
    session.add(attempt)
    await session.flush()
    return attempt


async def of_order(session: AsyncSession, order_id: str) -> list[Attempt]:
    """Return the transactions of an order that were or may be signed, by place; to look at only."""
    return list(await session.scalars(_of_order(order_id)))


async def locked(session: AsyncSession, order_id: str) -> list[Attempt]:
    """Return what `of_order` does, locked; the caller holds the lease.

    What ends an order locks the transaction that landed first and the others after it: without
    the lease two may wait for each other.
    """
    return list(await session.scalars(_of_order(order_id).with_for_update()))


def _of_order(order_id: str) -> Select[Attempt]:
    return (
        select(Attempt)
        .where(Attempt.order_id == order_id, Attempt.state != "refused")
        .order_by(Attempt.place)
        .execution_options(populate_existing=True)
    )


async def waiting(session: AsyncSession, network: str) -> list[list[Attempt]]:
    """Return orders with a place of their own that are signed and stand in no block, each by place."""
    query = (
        select(Attempt)
        .where(
            Attempt.network_id == network,
            Attempt.state.in_(OPEN),
            or_(Attempt.nonce.is_not(None), Attempt.nonce_value.is_not(None)),
        )
        .order_by(Attempt.order_id, Attempt.place)
    )
    rows = (await session.scalars(query)).all()
    orders = [list(each) for _, each in groupby(rows, key=attrgetter("order_id"))]
    return [each for each in orders if {row.state for row in each} == {"signed"}]


async def in_state(session: AsyncSession, network: str, state: str) -> list[Attempt]:
    """Return a network's transactions in one state, in the order in which they can land.

    Of what had ended in a block that is no longer there nobody sends the opposite of what the
    ledger says: no payment whose hold was given back, and no cancel of what was paid, unless an
    operator has asked for it since.
    """
    opposite = or_(
        and_(Withdrawal.status == "failed", Attempt.purpose != "cancel"),
        and_(Withdrawal.status == "completed", Attempt.purpose == "cancel", ~_wanted()),
    )
    ended = (
        select(ReopenedOrder.order_id)
        .join(Withdrawal, Withdrawal.id == ReopenedOrder.order_id)
        .where(ReopenedOrder.order_id == Attempt.order_id, Attempt.state == "signed", opposite)
    )
    query = (
        select(Attempt)
        .where(Attempt.network_id == network, Attempt.state == state, ~ended.exists())
        .order_by(Attempt.sender, Attempt.nonce, Attempt.place, Attempt.id)
    )
    return list(await session.scalars(query))


async def barred(session: AsyncSession, network: str) -> frozenset[str]:
    """Return open orders that were carried out before, beside a signed cancel that is not sent.

    It was signed last: the keystore raises the fee of nothing that was signed before it.
    """
    completed = select(Withdrawal.id).where(
        Withdrawal.id == Attempt.order_id, Withdrawal.status == "completed"
    )
    query = (
        select(Attempt.order_id)
        .join(ReopenedOrder, ReopenedOrder.order_id == Attempt.order_id)
        .where(
            Attempt.network_id == network,
            Attempt.purpose == "cancel",
            or_(
                Attempt.state == "replaced", and_(Attempt.state == "signed", completed.exists())
            ),
            ~_wanted(),
        )
    )
    return frozenset(await session.scalars(query))


def _wanted() -> ColumnElement[bool]:
    """Tell of an attempt whether somebody wants its order taken back."""
    wish = select(CancelRequest.id).where(
        CancelRequest.order_id == Attempt.order_id, CancelRequest.ended_at.is_(None)
    )
    return wish.exists()
