"""What became of our own transactions: only our own scan decides, and only at finality."""

from collections.abc import Sequence

from sqlalchemy import and_, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import posting
from gateway.domain.moment import Moment
from gateway.ledger.service import post
from gateway.models import Attempt, Currency, Transaction, Withdrawal
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import complete, move
from watchers.chain import asset_key
from watchers.network import NATIVE, Block, Outcome

LIVE = ("signed", "included")
OTHER_TRANSFER = "succeeded on chain without the transfer that was asked for: needs a person"
UNBOOKABLE = "the ledger refuses to settle it: needs a person"


async def own_hashes(session: AsyncSession, network: str) -> dict[str, str]:
    """Return the hashes of our transactions that may still land, each with its attempt's id.

    A set-up that was given up is among them: its blockhash is dead by our clock only.
    """
    given_up = and_(Attempt.purpose == "setup", Attempt.block_hash.is_(None))
    query = select(Attempt.tx_hash, Attempt.id).where(
        Attempt.network_id == network,
        Attempt.tx_hash.is_not(None),
        or_(Attempt.state.in_(LIVE), given_up),
    )
    return {row.tx_hash: row.id for row in await session.execute(query)}


async def observe(
    session: AsyncSession, blocks: Sequence[Block], own: dict[str, str], moment: Moment
) -> None:
    """Note which of our transactions stand in these blocks and how each ended."""
    for block in blocks:
        for tx_hash in [each for each in own if each in block.outcomes]:
            await _include(session, block, own[tx_hash], moment)


async def _include(
    session: AsyncSession, block: Block, attempt_id: str, moment: Moment
) -> None:
    attempt = await session.get_one(Attempt, attempt_id, with_for_update=True)
    tx_hash = attempt.tx_hash or ""
    outcome = block.outcomes[tx_hash]
    attempt.state = "included"
    attempt.block_height, attempt.block_hash = block.ref.height, block.ref.hash
    attempt.payer_spent_units = outcome.payer_spent_units
    paid = _paid(block, attempt)
    # A success that shows another transfer is not a failure: only a person may judge it.
    attempt.success = None if outcome.success and not paid else outcome.success
    await session.flush()
    await _write_transaction(session, block, attempt, outcome, moment)
    if attempt.withdrawal_id is not None:
        withdrawal = await withdrawals.locked(session, attempt.withdrawal_id)
        if withdrawal is not None and withdrawal.status == "broadcast":
            await move(session, withdrawal, "confirming", moment)
        if withdrawal is not None and attempt.success is None:
            withdrawal.blocked_reason = OTHER_TRANSFER


def _paid(block: Block, attempt: Attempt) -> bool:
    """Tell whether the block shows the very transfer that the intent asked for."""
    if attempt.purpose != "payout":
        return True
    intent = attempt.intent
    asset = NATIVE if intent["asset"] == NATIVE else asset_key(intent["asset"])
    return any(
        transfer.tx_hash == attempt.tx_hash
        and transfer.asset == asset
        and transfer.recipient == asset_key(intent["to"])
        and transfer.units == int(intent["units"])
        for transfer in block.transfers
    )


async def _write_transaction(
    session: AsyncSession, block: Block, attempt: Attempt, outcome: Outcome, moment: Moment
) -> None:
    where = {
        "block_height": block.ref.height,
        "block_hash": block.ref.hash,
        "block_time": block.ref.time,
        "payer_spent_units": outcome.payer_spent_units,
        "status": "pending",
    }
    statement = insert(Transaction).values(
        id=moment.id("trx"),
        network_id=attempt.network_id,
        tx_hash=attempt.tx_hash,
        direction="outgoing",
        seen_at=moment.at,
        **where,
    )
    await session.execute(
        statement.on_conflict_do_update(index_elements=["network_id", "tx_hash"], set_=where)
    )


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
    native = await withdrawals.native_currency(session, network)
    for attempt in attempts:
        try:
            async with session.begin_nested():
                await _end(session, attempt, native, moment)
                await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
                await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        except IntegrityError:
            # One row that contradicts the ledger must not keep every deposit from finality.
            await _park(session, attempt.id)
    return len(attempts)


async def _park(session: AsyncSession, attempt_id: str) -> None:
    attempt = await session.get_one(
        Attempt, attempt_id, with_for_update=True, populate_existing=True
    )
    attempt.success, attempt.last_answer = None, UNBOOKABLE
    if attempt.withdrawal_id is not None:
        withdrawal = await withdrawals.locked(session, attempt.withdrawal_id)
        if withdrawal is not None:
            withdrawal.blocked_reason = UNBOOKABLE


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
    if attempt.withdrawal_id is None:
        return
    withdrawal = await withdrawals.locked(session, attempt.withdrawal_id)
    if withdrawal is None:
        raise LookupError(f"attempt {attempt.id} names a withdrawal that is not there")
    withdrawal.network_fee_units = fee
    await _end_withdrawal(session, withdrawal, moment, success=bool(attempt.success))


async def _end_withdrawal(
    session: AsyncSession, withdrawal: Withdrawal, moment: Moment, *, success: bool
) -> None:
    if success:
        await complete(session, withdrawal, moment)
        return
    withdrawal.failure_reason = "the transaction failed on chain"
    await move(session, withdrawal, "failed", moment)


def fee_units(attempt: Attempt) -> int:
    """Return what the network took: the payer's spending less what it moved on purpose.

    On Solana the payer's spending holds the payment itself, and for a set-up the rent that now
    lies in our own nonce account (`Outcome` says so); on the other chains it is the fee alone.
    """
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
    """Fail payouts whose transaction can no longer land (Tron).

    Our scan is complete up to a final block younger than the expiration, and the hash stood in
    none of the blocks. The chain refuses a transaction once its expiration has passed.
    """
    query = (
        select(Attempt)
        .where(Attempt.network_id == network, Attempt.state == "signed")
        .order_by(Attempt.id)
        .with_for_update()
    )
    for attempt in await session.scalars(query):
        expiration = attempt.intent.get("expiration_ms")
        if expiration is None or final_time_ms < int(expiration) + EXPIRY_MARGIN_MS:
            continue
        attempt.state, attempt.success, attempt.ended_at = "failed", False, moment.at
        if attempt.withdrawal_id is None:
            continue
        withdrawal = await withdrawals.locked(session, attempt.withdrawal_id)
        if withdrawal is not None:
            withdrawal.failure_reason = "expired on chain without landing"
            await move(session, withdrawal, "failed", moment)


EXPIRY_MARGIN_MS = 3_000


async def orphan(session: AsyncSession, network: str, above: int, moment: Moment) -> None:
    """Bring our transactions in orphaned blocks back to `signed`: they are sent again."""
    query = (
        select(Attempt)
        .where(
            Attempt.network_id == network,
            Attempt.state == "included",
            Attempt.block_height > above,
        )
        .order_by(Attempt.id)
        .with_for_update()
    )
    for attempt in await session.scalars(query):
        attempt.state, attempt.block_height, attempt.block_hash = "signed", None, None
        attempt.success, attempt.payer_spent_units = None, None
        if attempt.withdrawal_id is not None:
            withdrawal = await withdrawals.locked(session, attempt.withdrawal_id)
            if withdrawal is not None and withdrawal.status == "confirming":
                await move(session, withdrawal, "broadcast", moment)
    await session.execute(
        update(Transaction)
        .where(Transaction.network_id == network, Transaction.block_height > above)
        .values(status="orphaned")
    )
