"""Taking back what refunded payments earned: the worker's round, moments after a refund is final.

The database decides: a payment that is undone wholly, while every referrer still has its part.
What is undone in part is made up for by the next payments.
"""

from functools import partial

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import Commission, CommissionPot
from gateway.referrals.sharing import AT_ONCE, giving_way, tell

_UNDO = text("SELECT * FROM undo_pot(:payment, :at)")


async def undo_round(database: Database, moment: Moment) -> bool:
    """Look at every payment that was refunded since; tell whether there may be more.

    One that somebody else's posting holds up is left for the next round.
    """
    query = (
        select(CommissionPot.payment_id)
        .where(CommissionPot.refunded_at.is_not(None))
        .order_by(CommissionPot.refunded_at, CommissionPot.payment_id)
        .limit(AT_ONCE)
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        due = (await session.scalars(query)).all()
    busy = False
    for payment_id in due:
        done = await giving_way(database, partial(_undo, payment_id=payment_id, moment=moment))
        busy = busy or not done
    return len(due) == AT_ONCE and not busy


async def _undo(session: AsyncSession, payment_id: str, moment: Moment) -> None:
    """Undo one payment's pot under its row lock, and tell whose commissions are gone."""
    found = await session.scalars(_UNDO, {"payment": payment_id, "at": moment.at})
    for commission_id in found.all():
        row = await session.get_one(Commission, commission_id)
        await tell(session, row, "commission.reversed", moment)
