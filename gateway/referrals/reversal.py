"""Taking commissions back with the payment that earned them, to the unit."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import posting
from gateway.domain.moment import Moment
from gateway.ledger.service import post
from gateway.models import Commission, CommissionPot, Wallet
from gateway.referrals.sharing import tell

REVERSED = "the payment was reversed"


async def reverse_commissions(session: AsyncSession, payment_id: str, moment: Moment) -> int:
    """Reverse what a payment earned for referrers; return how many commissions that were.

    A pot that is not shared yet never will be.
    """
    pots = await session.scalars(
        select(CommissionPot)
        .where(CommissionPot.payment_id == payment_id)
        .order_by(CommissionPot.programme)
        .with_for_update()
    )
    for pot in pots.all():
        if pot.shared_at is None:
            pot.shared_at, pot.next_attempt_at, pot.reason = moment.at, None, REVERSED
    rows = await session.scalars(
        select(Commission)
        .where(Commission.payment_id == payment_id, Commission.status == "earned")
        .order_by(Commission.account, Commission.id)
        .with_for_update()
    )
    earned = rows.all()
    for row in earned:
        left = await left_of(session, row.account, row.currency_id)
        credit = posting.Credit(
            row.account, row.currency_id, row.units, left, ((row.payer, row.units),)
        )
        await post(session, posting.reversal(row.id, row.merchant_id, credit), moment)
        row.status, row.reversed_at = "reversed", moment.at
        await session.flush()
        await tell(session, row, "commission.reversed", moment)
    return len(earned)


async def left_of(session: AsyncSession, account: str, currency_id: str) -> int:
    """Return an account's confirmed balance under its row lock."""
    query = select(Wallet.confirmed).where(
        Wallet.account == account, Wallet.currency_id == currency_id
    )
    return await session.scalar(query.with_for_update()) or 0
