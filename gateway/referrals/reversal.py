"""Taking commissions back with the payment that earned them, to the unit.

What a referrer waits to be paid out is called back first.
"""

from dataclasses import dataclass

from sqlalchemy import exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import posting
from gateway.domain.commission import WHOLE
from gateway.domain.moment import Moment
from gateway.ledger.repository import Holder
from gateway.ledger.service import post
from gateway.models import (
    Commission,
    CommissionPot,
    CustomerPaid,
    CustomerTransfer,
    Deposit,
    Invoice,
    ReferralSchedule,
)
from gateway.referrals.sharing import tell
from gateway.withdrawals.recall import recall

REVERSED = "the payment was reversed"


@dataclass(slots=True)
class Unpaid:
    """What a customer has not paid after all, and how much of that had counted, in base units."""

    customer_id: str | None
    currency_id: str
    units: int = 0
    counted: int = 0


async def reverse_shares(
    session: AsyncSession, deposit: Deposit, short: int, moment: Moment, *, waiting: bool
) -> Unpaid:
    """Reverse what a deposit earned for referrers, and what charges earned that it paid.

    `short` is what its customer no longer has of it: the newest charges since are those that it
    does not cover, and one that is not wholly covered counts nothing. What is `waiting` in
    suspense was never counted.
    """
    payer = deposit.customer_id
    if deposit.invoice_id is not None:
        query = select(Invoice.customer_id).where(Invoice.id == deposit.invoice_id)
        payer = await session.scalar(query)
    unpaid = Unpaid(payer, deposit.currency_id)
    if deposit.invoice_id is not None and not waiting:
        unpaid.units = deposit.units - deposit.fee_units
    unpaid.counted = await _counted(session, deposit.id) or 0
    await reverse_commissions(session, deposit.id, moment)
    charges = await session.scalars(
        select(CustomerTransfer)
        .where(
            CustomerTransfer.customer_id == deposit.customer_id,
            CustomerTransfer.currency_id == deposit.currency_id,
            CustomerTransfer.direction == "charge",
            CustomerTransfer.created_at >= deposit.confirmed_at,
        )
        .order_by(CustomerTransfer.created_at.desc(), CustomerTransfer.id.desc())
    )
    for charge in charges if short > 0 else ():
        counted = await _counted(session, charge.id)
        if counted is not None:
            await reverse_commissions(session, charge.id, moment)
            unpaid.units += charge.units
            unpaid.counted += counted
            short -= charge.units
        if short <= 0:
            break
    return unpaid


async def take_off(session: AsyncSession, unpaid: Unpaid) -> None:
    """Take it off what counts as paid; after every wallet is locked, as at every commit."""
    left = CustomerPaid.counted_units - unpaid.counted
    await session.execute(
        update(CustomerPaid)
        .where(
            CustomerPaid.customer_id == unpaid.customer_id,
            CustomerPaid.currency_id == unpaid.currency_id,
        )
        .values(
            net_units=CustomerPaid.net_units - unpaid.units,
            counted_units=func.greatest(left, 0),
        )
        .execution_options(synchronize_session=False)
    )


async def _counted(session: AsyncSession, payment_id: str) -> int | None:
    """Return what of a payment was shared, None where that was reversed; no pot shared nothing.

    A pot is rounded down: so much at least had counted.
    """
    earned = exists().where(
        Commission.payment_id == payment_id,
        Commission.programme == "merchant",
        Commission.status == "earned",
    )
    query = (
        select(CommissionPot, ReferralSchedule.share_basis_points, earned)
        .join(ReferralSchedule, ReferralSchedule.id == CommissionPot.schedule_id)
        .where(CommissionPot.payment_id == payment_id, CommissionPot.programme == "merchant")
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return 0
    pot, share, stands = row
    if pot.shared_at is not None and not stands:
        return None
    return -(-int(pot.pot_units) * WHOLE // (share or WHOLE))


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
