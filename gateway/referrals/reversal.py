"""Taking commissions back with the payment that earned them, to the unit.

What a referrer waits to be paid out is called back first.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import posting
from gateway.domain.moment import Moment
from gateway.ledger.repository import Holder
from gateway.ledger.service import post
from gateway.models import Commission, CommissionPot, Wallet
from gateway.referrals.sharing import tell
from gateway.withdrawals.recall import recall

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
        await _take_back(session, row, moment)
        row.status, row.reversed_at = "reversed", moment.at
        await session.flush()
        await tell(session, row, "commission.reversed", moment)
    return len(earned)


async def _take_back(session: AsyncSession, row: Commission, moment: Moment) -> None:
    """Post the inverse; a merchant does without what its own customer no longer has."""
    own = row.programme == "merchant"
    holder = Holder(row.merchant_id, row.account if own else None)
    left = await recall(
        session, holder, row.currency_id, row.units, deposit_id=row.payment_id, moment=moment
    )
    units = min(row.units, max(left, 0)) if own else row.units
    if units:
        parts = ((row.payer, units),)
        credit = posting.Credit(row.account, row.currency_id, units, left, parts)
        await post(session, posting.reversal(row.id, row.merchant_id, credit), moment)


async def left_of(session: AsyncSession, account: str, currency_id: str) -> int:
    """Return an account's confirmed balance under its row lock."""
    query = select(Wallet.confirmed).where(
        Wallet.account == account, Wallet.currency_id == currency_id
    )
    return await session.scalar(query.with_for_update()) or 0
