"""What became of our own transactions: only our own scan decides, and only at finality.

Of several transactions in one place the chain takes one. Whichever that is ends the order: a
payment pays it out of the ledger, one that moves nothing gives its hold back. The network's fee
is booked once for each transaction that landed, whoever it was for.
"""

from collections.abc import Iterable

from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import posting
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.ledger.service import post
from gateway.models import Attempt, Currency, Transaction
from gateway.withdrawals import repository as withdrawals
from watchers import crash
from watchers.network import NATIVE
from watchers.pay import transactions, withdrawing
from watchers.pay.inclusion import observe, orphan, own_hashes
from watchers.pay.keepers import CANCEL, End, keeper_of

__all__ = ["expire", "fee_units", "observe", "orphan", "own_hashes", "settle"]

UNBOOKABLE = "the ledger refuses to settle it: needs a person"
TOO_LATE = "another transaction took its place before it was signed"
EXPIRED = "expired on chain without landing"
EXPIRY_MARGIN_MS = 3_000


async def settle(session: AsyncSession, network: str, final_height: int, moment: Moment) -> int:
    """End our transactions in final blocks: pay out of the ledger or give the hold back."""
    query = (
        select(Attempt)
        .where(
            Attempt.network_id == network,
            Attempt.state == "included",
            Attempt.block_height <= final_height,
            Attempt.success.is_not(None),
        )
        .order_by(Attempt.id)
        .with_for_update()
    )
    attempts = (await session.scalars(query)).all()
    if not attempts:
        return 0
    crash.around_commit(session, "payout.settled")
    native = await withdrawals.native_currency(session, network)
    for attempt in attempts:
        try:
            async with session.begin_nested():
                await _end(session, attempt, native, moment)
                await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
                await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        except (IntegrityError, Conflict):
            # One row that contradicts the ledger must not keep every deposit from finality.
            await _park(session, attempt.id, moment)
    return len(attempts)


async def _park(session: AsyncSession, attempt_id: str, moment: Moment) -> None:
    attempt = await session.get_one(
        Attempt, attempt_id, with_for_update=True, populate_existing=True
    )
    attempt.success, attempt.last_answer = None, UNBOOKABLE
    if attempt.withdrawal_id is not None:
        await withdrawing.say(
            session, attempt.withdrawal_id, UNBOOKABLE, moment, also=("confirming",)
        )


async def _end(
    session: AsyncSession, attempt: Attempt, native: Currency, moment: Moment
) -> None:
    attempt.state = "succeeded" if attempt.success else "failed"
    attempt.ended_at = moment.at
    fee = fee_units(attempt)
    if fee:
        ref = f"{attempt.network_id}:{attempt.tx_hash}"
        await post(session, posting.network_fee(ref, native.id, fee), moment)
    await session.execute(
        update(Transaction)
        .where(
            Transaction.network_id == attempt.network_id,
            Transaction.tx_hash == attempt.tx_hash,
        )
        .values(status="confirmed" if attempt.success else "failed", final_at=moment.at)
    )
    await _replace_others(session, attempt, moment)
    await (await keeper_of(session, attempt)).ended(session, attempt, _end_of(attempt), moment)


def _end_of(attempt: Attempt) -> End:
    """Say what a landed transaction means for its order.

    A cancel ends it even where it failed: the place is gone, and no payment can land there.
    """
    if attempt.purpose == CANCEL:
        return End("canceled", fee_units(attempt))
    return End("succeeded" if attempt.success else "failed", fee_units(attempt))


async def _replace_others(session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
    """End what competed for the place: it can never land now."""
    for other in await transactions.of_order(session, attempt.order_id):
        if other.id == attempt.id:
            continue
        other.ended_at = moment.at
        if other.state == "prepared":
            other.state, other.last_answer = "refused", TOO_LATE
        else:
            other.state = "replaced"
    await session.flush()


def fee_units(attempt: Attempt) -> int:
    """Return what the network took: the payer's spending less what it moved on purpose.

    On Solana the payer's spending holds the payment itself, and for a set-up the rent that now
    lies in our own nonce account (`Outcome` says so); on the other chains it is the fee alone.
    Where the payer gained by its own transaction the block says the fee.
    """
    if attempt.fee_units is not None:
        return attempt.fee_units
    spent = attempt.payer_spent_units or 0
    intent = attempt.intent
    if intent.get("family") != "solana" or not attempt.success:
        return spent
    if attempt.purpose == "setup":
        return spent - int(intent["lamports"])
    return spent - int(intent["units"]) if intent["asset"] == NATIVE else spent


async def expire(
    session: AsyncSession, network: str, final_time_ms: int, moment: Moment
) -> None:
    """Fail what can no longer land (Tron).

    Our scan is complete up to a final block younger than the expiration, and the hash stood in
    none of the blocks. The chain refuses a transaction once its expiration has passed.
    """
    query = (
        select(Attempt)
        .where(Attempt.network_id == network, Attempt.state == "signed")
        .order_by(Attempt.id)
        .with_for_update()
    )
    for attempt in _expired(await session.scalars(query), final_time_ms):
        attempt.state, attempt.success, attempt.ended_at = "failed", False, moment.at
        await session.flush()
        keeper = await keeper_of(session, attempt)
        await keeper.ended(session, attempt, End("failed", reason=EXPIRED), moment)


def _expired(signed: Iterable[Attempt], final_time_ms: int) -> Iterable[Attempt]:
    for attempt in signed:
        expiration = attempt.intent.get("expiration_ms")
        if expiration is not None and final_time_ms >= int(expiration) + EXPIRY_MARGIN_MS:
            yield attempt
