"""Calling requests back whose money turned out not to be there."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.ledger.repository import Holder, left_of
from gateway.models import Deposit, Invoice, Withdrawal
from gateway.withdrawals.moves import RELEASED, move

UNSIGNED = ("pending", "approved")
WHY = "the deposit that would pay for it was reversed"
PAID_BACK = "an earlier refund was paid after all: its chain was rewritten"


class Busy(Conflict):
    """Somebody changes at this moment what has to stand still; to be tried again."""


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
    left = await left_of(session, holder.account, currency_id)
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


async def recall_refunds(session: AsyncSession, paid: Withdrawal, moment: Moment) -> None:
    """Reject refunds of an invoice, newest first, until no more goes back than it received.

    `paid` is one that had failed and was paid after all. What is signed goes its way. Raises `Busy`
    where somebody has the invoice, who may be asking for a refund: the caller may hold wallets, and
    to wait here would be against the lock order.
    """
    invoice = select(Invoice.id).where(Invoice.id == paid.invoice_id)
    free = invoice.with_for_update(key_share=True, skip_locked=True)
    if await session.scalar(free) is None:
        raise Busy(f"invoice {paid.invoice_id} is being changed")
    received = select(func.coalesce(func.sum(Deposit.units), 0)).where(
        Deposit.invoice_id == paid.invoice_id,
        Deposit.merchant_id == paid.merchant_id,
        Deposit.currency_id == paid.currency_id,
        Deposit.status == "confirmed",
    )
    query = (
        select(Withdrawal)
        .where(
            Withdrawal.invoice_id == paid.invoice_id,
            Withdrawal.currency_id == paid.currency_id,
            Withdrawal.status.not_in(RELEASED),
            Withdrawal.id != paid.id,
        )
        .order_by(Withdrawal.created_at.desc(), Withdrawal.id.desc())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    others = (await session.scalars(query)).all()
    over = paid.units + sum(row.units for row in others)
    over -= int(await session.scalar(received) or 0)
    for row in others:
        if over > 0 and row.status in UNSIGNED:
            row.rejected_by, row.failure_reason = f"reopened:{paid.id}", PAID_BACK
            await move(session, row, "rejected", moment)
            over -= row.units
