"""Calling requests back whose money turned out not to be there."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import Deposit, Wallet, Withdrawal
from gateway.withdrawals.moves import move

UNSIGNED = ("pending", "approved")
WHY = "the deposit that would pay for it was reversed"


async def recall(session: AsyncSession, deposit: Deposit, moment: Moment) -> None:
    """Reject what the deposit's owner asked for, newest first, until the balance covers it again.

    What is signed goes its way. The wallet's row lock, taken first, lets nobody ask for more
    meanwhile.
    """
    account = deposit.customer_id or deposit.merchant_id
    balance = select(Wallet.confirmed).where(
        Wallet.account == account, Wallet.currency_id == deposit.currency_id
    )
    left = await session.scalar(balance.with_for_update()) or 0
    query = (
        select(Withdrawal)
        .where(
            Withdrawal.merchant_id == deposit.merchant_id,
            Withdrawal.customer_id.is_not_distinct_from(deposit.customer_id),
            Withdrawal.currency_id == deposit.currency_id,
            Withdrawal.status.in_(UNSIGNED),
        )
        .order_by(Withdrawal.created_at.desc(), Withdrawal.id.desc())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in await session.scalars(query):
        if left >= deposit.units - deposit.fee_units:
            return
        row.rejected_by, row.failure_reason = f"reversal:{deposit.id}", WHY
        await move(session, row, "rejected", moment)
        left += row.units + row.fee_units
