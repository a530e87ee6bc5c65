"""Our transactions that had ended in blocks which were given up: the new chain judges them again.

Their signed bytes still hold the only place on the chain that their order ever gets, so they are sent
until they land there, and nothing is paid anew. Whatever they do this time is booked by the
settler like any other end. A payment whose hold was given back before is not sent again: where
something can take its place, it is canceled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.domain import posting
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.ledger.service import post
from gateway.models import (
    Attempt,
    BalanceHistory,
    CancelRequest,
    Journal,
    ReopenedOrder,
    Withdrawal,
)
from gateway.withdrawals.rebooking import named_anew
from watchers import store
from watchers.pay import transactions
from watchers.pay.keepers import CANCEL, keeper_of

ENDED_IN_BLOCK = ("succeeded", "failed")
LANDED_FIRST = "its transaction landed first"


@dataclass(frozen=True, slots=True)
class Ended:
    """An order of ours that ended above a height, and the transaction that ended it.

    `height` is 0 for what had expired in no block.
    """

    order_id: str
    purpose: str
    tx_hash: str
    height: int
    state: str


async def ended_above(session: AsyncSession, network: str, above: int) -> list[Ended]:
    """Return what ended in blocks above a height; to look at only."""
    return [
        Ended(
            each.order_id, each.purpose, each.tx_hash or "", each.block_height or 0, each.state
        )
        for each in await _landed(session, network, above)
    ]


async def reopen(
    session: AsyncSession, network: str, above: int, person: str, moment: Moment
) -> None:
    """Let what ended above a height wait for a block again, with what competes for its place.

    The caller holds the cursor's lock.
    """
    for landed in await _landed(session, network, above):
        order = await transactions.locked(session, landed.order_id)
        row = ReopenedOrder(order_id=landed.order_id, network_id=network, reopened_at=moment.at)
        await session.merge(row)
        await session.flush()
        await (await keeper_of(session, landed)).reopened(session, landed, moment)
        for each in order:
            if each.id == landed.id or (
                each.state == "replaced" and _may_compete(each, landed)
            ):
                _wait(each)
        await session.flush()
        await _record(session, landed, person, moment)


def _may_compete(other: Attempt, landed: Attempt) -> bool:
    """Tell whether another transaction of the order is looked for too: any of a withdrawal's.

    Of the house's own no cancel where it had been carried out: that would be sent instead. It is
    looked for as it is (`inclusion.own_hashes`).
    """
    of_house = landed.withdrawal_id is None and landed.purpose != CANCEL
    return other.raw is not None and not (of_house and other.purpose == CANCEL)


def _wait(attempt: Attempt) -> None:
    attempt.state, attempt.block_height, attempt.block_hash = "signed", None, None
    attempt.success, attempt.payer_spent_units = None, None
    attempt.payer_gained_units, attempt.fee_units = 0, None
    attempt.sent_height, attempt.last_broadcast_at, attempt.ended_at = None, None, None


async def _record(session: AsyncSession, landed: Attempt, person: str, moment: Moment) -> None:
    """Ask for a cancel where its hold was given back, and write down that it is open again."""
    withdrawal = None
    if landed.withdrawal_id is not None:
        withdrawal = await session.get_one(Withdrawal, landed.withdrawal_id)
    given_back = withdrawal is not None and withdrawal.status == "failed"
    outrun = landed.nonce is not None or landed.nonce_value is not None
    if given_back and outrun and landed.purpose != CANCEL:
        await _cancel(session, landed, person, moment)
    elif not given_back and landed.purpose != CANCEL:
        await _close_wish(session, landed, moment)
    await audit.record(
        session,
        Actor(f"operator:{person}", None, frozenset(), livemode=False),
        moment,
        action="order.reopened" if withdrawal is None else "withdrawal.reopened",
        subject=landed.order_id,
        merchant_id=None if withdrawal is None else withdrawal.merchant_id,
        after={"tx_hash": landed.tx_hash, "sent_again": not given_back},
    )


async def _close_wish(session: AsyncSession, landed: Attempt, moment: Moment) -> None:
    """End a wish to cancel that nobody has closed yet: what was carried out is sent again."""
    await session.execute(
        update(CancelRequest)
        .where(CancelRequest.order_id == landed.order_id, CancelRequest.ended_at.is_(None))
        .values(answer=LANDED_FIRST, ended_at=moment.at)
    )


async def _cancel(session: AsyncSession, landed: Attempt, person: str, moment: Moment) -> None:
    open_one = select(CancelRequest.id).where(
        CancelRequest.order_id == landed.order_id, CancelRequest.ended_at.is_(None)
    )
    if await session.scalar(open_one) is None:
        session.add(
            CancelRequest(
                id=moment.id("cnr"),
                network_id=landed.network_id,
                order_id=landed.order_id,
                asked_by=person,
                asked_at=moment.at,
            )
        )


async def _landed(session: AsyncSession, network: str, above: int) -> Sequence[Attempt]:
    """Return what ended above a height: in a block, or by expiring where it still could land (Tron)."""
    base = await store.block_at_or_below(session, network, above)
    base_ms = 0 if base is None else int(base.block_time.timestamp() * 1000)
    lapsed = and_(
        Attempt.block_height.is_(None),
        Attempt.tx_hash.is_not(None),
        Attempt.intent["expiration_ms"].as_numeric(20, 0) > base_ms,
    )
    query = (
        select(Attempt)
        .where(
            Attempt.network_id == network,
            Attempt.state.in_(ENDED_IN_BLOCK),
            or_(Attempt.block_height > above, lapsed),
        )
        .order_by(Attempt.id)
    )
    return (await session.scalars(query)).all()


async def book_fee(
    session: AsyncSession, attempt: Attempt, native_id: str, units: int, moment: Moment
) -> None:
    """Book what the network took; of a transaction that landed before, what it took otherwise."""
    ref = _fee_of(attempt.network_id, attempt.tx_hash)
    entry = posting.network_fee(ref, native_id, units) if units else None
    if entry is None or not await post(session, entry, moment):
        await _correct(session, ref, attempt, native_id, moment, units=units)


async def take_back_fees(
    session: AsyncSession,
    landed: Attempt,
    replaced: Sequence[str],
    native_id: str,
    moment: Moment,
) -> None:
    """Take back what was booked for others in this place: they had landed on a chain that is gone."""
    for tx_hash in replaced:
        ref = _fee_of(landed.network_id, tx_hash)
        await _correct(session, ref, landed, native_id, moment, units=0)


def _fee_of(network: str, tx_hash: str | None) -> str:
    return f"{network}:{tx_hash}"


async def _correct(
    session: AsyncSession,
    ref: str,
    landed: Attempt,
    native_id: str,
    moment: Moment,
    *,
    units: int,
) -> None:
    """Post the difference to what is booked under a reference, in the name of the new block."""
    booked = (
        select(func.coalesce(func.sum(BalanceHistory.delta_confirmed), 0))
        .join(Journal, Journal.id == BalanceHistory.journal_id)
        .where(
            Journal.kind == "network_fee",
            or_(Journal.ref == ref, Journal.ref.startswith(f"{ref}@", autoescape=True)),
            BalanceHistory.account == posting.CUSTODY,
        )
    )
    if difference := units - int(await session.scalar(booked) or 0):
        where = landed.block_hash or "expired"
        entry = posting.network_fee(f"{ref}@{where}", native_id, difference)
        await post(session, await named_anew(session, entry), moment)
