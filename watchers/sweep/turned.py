"""Sweeps whose chain was rewritten after they had ended: what they moved is judged once more.

Whatever it did not move after all waits at its address again, and is swept by the usual rules.
"""

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import Attempt, Deposit, ReopenedOrder, Sweep
from watchers.pay.keepers import End
from watchers.sweep import rows
from watchers.sweep.sweeper import REST

NOT_MOVED = "its chain was rewritten, and it moved nothing there"


async def is_reopened(session: AsyncSession, attempt: Attempt) -> bool:
    """Tell whether an order had ended before, in a block that was given up."""
    return await session.get(ReopenedOrder, attempt.order_id) is not None


async def waiting(session: AsyncSession, network: str) -> list[Attempt]:
    """Return what was to move the coins of sweeps in blocks that were given up, and stands in none since."""
    query = (
        select(Attempt)
        .join(ReopenedOrder, ReopenedOrder.order_id == Attempt.order_id)
        .where(
            Attempt.network_id == network,
            Attempt.purpose == "sweep",
            Attempt.state == "signed",
        )
        .order_by(Attempt.id)
    )
    return list(await session.scalars(query))


async def begun_by(session: AsyncSession, order_id: str) -> list[Sweep]:
    """Return the sweeps that had this order for one of their steps, locked.

    A step that was begun once more has the newest alone.
    """
    steps = (
        Sweep.funding_order,
        Sweep.lending_order,
        Sweep.moving_order,
        Sweep.returning_order,
    )
    return await rows.locked(session, or_(*(step == order_id for step in steps)))


async def follow(session: AsyncSession, attempt: Attempt, end: End, moment: Moment) -> None:
    """Let the sweeps that a reopened order was to move end as it has ended now."""
    moved = end.fate == "succeeded"
    for sweep in await rows.moved_by(session, attempt.order_id):
        if sweep.state in rows.LIVE:
            sweep.failure_reason = None if moved else NOT_MOVED
        elif moved != (sweep.state == "done"):
            sweep.state = "done" if moved else "failed"
            sweep.failure_reason = None if moved else NOT_MOVED
            if not moved:
                await _leave(session, sweep, moment)
        sweep.updated_at = moment.at
    await session.flush()


async def _leave(session: AsyncSession, sweep: Sweep, moment: Moment) -> None:
    """Let it wait as after any failure; what was forgotten is noted where it is credited anew."""
    forgotten = select(func.coalesce(func.sum(Deposit.units), 0)).where(
        Deposit.network_id == sweep.network_id,
        Deposit.currency_id == sweep.currency_id,
        Deposit.address == sweep.address,
        Deposit.reversals > 0,
    )
    units = max(0, sweep.units - int(await session.scalar(forgotten) or 0))
    row = rows.as_waiting(sweep, moment.at, units=units)
    await rows.note(session, row, not_before=moment.at + REST, reason=NOT_MOVED)
