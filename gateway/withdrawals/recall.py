"""Calling requests back whose money turned out not to be there."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.ledger.repository import Holder
from gateway.models import Wallet, Withdrawal
from gateway.withdrawals.moves import move

UNSIGNED = ("pending", "approved")
WHY = "the deposit that would pay for it was reversed"


async def recall(
    session: AsyncSession,
    holder: Holder,
    currency_id: str,
    needed: int,
    *,
    deposit_id: str,
    moment: Moment,
) -> int:
    """Reject what the holder asked for, newest first, until its balance covers `needed` units.

    Return the confirmed balance then. What is signed goes its way. The wallet's row lock, taken
    first, lets nobody ask for more meanwhile.
    """
    balance = select(Wallet.confirmed).where(
        Wallet.account == holder.account, Wallet.currency_id == currency_id
    )
    left = await session.scalar(balance.with_for_update()) or 0
    query = (
        select(Withdrawal)
        .where(
            Withdrawal.merchant_id == holder.merchant_id,
            Withdrawal.customer_id.is_not_distinct_from(holder.customer_id),
            Withdrawal.currency_id == currency_id,
            Withdrawal.status.in_(UNSIGNED),
        )
        .order_by(Withdrawal.created_at.desc(), Withdrawal.id.desc())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in await session.scalars(query) if left < needed else ():
        if left >= needed:
            break
        row.rejected_by, row.failure_reason = f"reversal:{deposit_id}", WHY
        await move(session, row, "rejected", moment)
        left += row.units + row.fee_units
    return left
