"""What became of our own transactions: only our own scan decides, and only at finality.

Of several transactions in one place the chain takes one. Whichever that is ends the order: a
payment pays it out of the ledger, one that moves nothing gives its hold back. The network's fee
is booked once for each transaction that landed, whoever it was for.
"""

from collections.abc import Callable

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import checked
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.models import Attempt, Currency, Transaction
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.recall import Busy
from watchers import crash
from watchers.network import NATIVE
from watchers.pay import again, transactions, withdrawing
from watchers.pay.keepers import CANCEL, End, keeper_of
from watchers.pay.own_bytes import Edited

log = structlog.get_logger()
UNBOOKABLE = "the ledger refuses to settle it: needs a person"
TOO_LATE = "another transaction took its place before it was signed"
EXPIRED = "expired on chain without landing"
EXPIRY_MARGIN_MS = 3_000
Against = Callable[[str], str | None]
"""Says of an attempt, by its id, why what it gives back must wait; None where it may be given."""


def nothing_against(attempt_id: str) -> None:
    """Believe the one node that there is."""
    del attempt_id


async def settle(
    session: AsyncSession,
    network: str,
    final_height: int,
    moment: Moment,
    against: Against = nothing_against,
    *,
    edited: Edited,
) -> int:
    """End our transactions in final blocks: pay out of the ledger or give the hold back."""
    query = (
        select(Attempt.id)
        .where(
            Attempt.network_id == network,
            Attempt.state == "included",
            Attempt.block_height <= final_height,
            Attempt.success.is_not(None),
        )
        .order_by(Attempt.id)
        .with_for_update()
    )
    ids = (await session.scalars(query)).all()
    if not ids:
        return 0
    crash.around_commit(session, "payout.settled")
    native = await withdrawals.native_currency(session, network)
    for attempt_id in ids:
        # What a savepoint took back has to be read again: nothing is kept from one to the next.
        attempt = await session.get_one(Attempt, attempt_id, populate_existing=True)
        if gives_back(attempt) and (reason := edited(attempt) or against(attempt_id)):
            await _say(session, attempt, reason, moment)
            continue
        try:
            async with checked(session):
                await end(session, attempt, native, moment)
        except Busy:
            log.info("not settled yet", attempt=attempt_id)  # the next final block does
        except (IntegrityError, Conflict):
            # One row that contradicts the ledger must not keep every deposit from finality.
            await _park(session, attempt_id, moment)
    return len(ids)


def gives_back(attempt: Attempt) -> bool:
    """Tell whether the end of a landed transaction releases what it was to pay; a lane pays nobody."""
    failed = attempt.success is False and attempt.purpose != "setup"
    return attempt.purpose == CANCEL or failed


async def _park(session: AsyncSession, attempt_id: str, moment: Moment) -> None:
    attempt = await session.get_one(
        Attempt, attempt_id, with_for_update=True, populate_existing=True
    )
    attempt.success, attempt.last_answer = None, UNBOOKABLE
    log.error("not settled", order=attempt.order_id, purpose=attempt.purpose, reason=UNBOOKABLE)
    await _say(session, attempt, UNBOOKABLE, moment)


async def _say(session: AsyncSession, attempt: Attempt, reason: str, moment: Moment) -> None:
    if attempt.withdrawal_id is None:
        await (await keeper_of(session, attempt)).waiting(session, attempt, reason, moment)
        return
    await withdrawing.say(session, attempt.withdrawal_id, reason, moment, also=("confirming",))


async def end(
    session: AsyncSession,
    attempt: Attempt,
    native: Currency,
    moment: Moment,
    *,
    reason: str | None = None,
) -> None:
    """End what landed and what competed with it, and book the fee; `reason` is why it failed."""
    attempt.state = "succeeded" if attempt.success else "failed"
    attempt.ended_at = moment.at
    await again.book_fee(session, attempt, native.id, fee_units(attempt), moment)
    await session.execute(
        update(Transaction)
        .where(
            Transaction.network_id == attempt.network_id,
            Transaction.tx_hash == attempt.tx_hash,
        )
        .values(status="confirmed" if attempt.success else "failed", final_at=moment.at)
    )
    replaced = await replace(session, attempt.order_id, moment, but=attempt.id)
    await again.take_back_fees(session, attempt, replaced, native.id, moment)
    keeper = await keeper_of(session, attempt)
    await keeper.ended(session, attempt, _end_of(attempt, reason), moment)


def _end_of(attempt: Attempt, reason: str | None) -> End:
    """Say what a landed transaction means for its order.

    A cancel ends it even where it failed: the place is gone, and no payment can land there.
    """
    if attempt.purpose == CANCEL:
        return End("canceled", fee_units(attempt))
    return End("succeeded" if attempt.success else "failed", fee_units(attempt), reason)


async def replace(
    session: AsyncSession, order_id: str, moment: Moment, *, but: str | None = None
) -> list[str]:
    """End what competed for a place that is taken: it can never land now. `but` landed there.

    Returns the hashes of what is replaced.
    """
    replaced = []
    for other in await transactions.locked(session, order_id):
        if other.id == but:
            continue
        other.ended_at = moment.at
        if other.state == "prepared":
            other.state, other.last_answer = "refused", TOO_LATE
        else:
            other.state = "replaced"
            replaced.append(other.tx_hash or "")
    await session.flush()
    return replaced


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
    session: AsyncSession,
    network: str,
    final_time_ms: int,
    moment: Moment,
    against: Against = nothing_against,
) -> None:
    """Fail what can no longer land (Tron).

    Our scan is complete up to a final block younger than the expiration, and the hash stood in
    none of the blocks, those included that it passed before it knew the hash. The chain refuses
    a transaction once its expiration has passed.
    """
    query = (
        select(Attempt)
        .where(Attempt.network_id == network, Attempt.state == "signed")
        .order_by(Attempt.id)
        .with_for_update()
    )
    gone = [each.id for each in await session.scalars(query) if expired(each, final_time_ms)]
    for attempt_id in gone:
        attempt = await session.get_one(Attempt, attempt_id, populate_existing=True)
        if (reason := against(attempt_id)) is not None:
            await _say(session, attempt, reason, moment)
            continue
        refused = attempt.last_answer == UNBOOKABLE
        try:
            async with checked(session):
                await lapse(session, attempt, moment)
        except (IntegrityError, Conflict):
            if not refused:  # It is asked anew at every final block, and said once.
                await _park(session, attempt_id, moment)


async def lapse(session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
    """End what can no longer land."""
    attempt.state, attempt.success, attempt.ended_at = "failed", False, moment.at
    await session.flush()
    native = await withdrawals.native_currency(session, attempt.network_id)
    await again.take_back_fees(session, attempt, [attempt.tx_hash or ""], native.id, moment)
    keeper = await keeper_of(session, attempt)
    await keeper.ended(session, attempt, End("failed", reason=EXPIRED), moment)


def expired(attempt: Attempt, final_time_ms: int) -> bool:
    """Tell whether a signed transaction cannot land any more, as far as we have read."""
    expiration = attempt.intent.get("expiration_ms")
    if expiration is None or attempt.passed_height is not None:
        return False
    return final_time_ms >= int(expiration) + EXPIRY_MARGIN_MS
