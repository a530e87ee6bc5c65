"""Refunds that had ended and whose rewritten chain ended them otherwise: what was decided follows.

A deposit whose refund was not paid after all is open again. One whose refund was paid after all is
not: whatever is about to be done with it is called back, and what is done already stays.
"""

from collections.abc import Sequence

from sqlalchemy import Row, and_, or_, select

from gateway.deposits.service import Desk
from gateway.desk.ending import NOT_OPEN, end, locked, note
from gateway.desk.repository import LIVE
from gateway.models import Deposit, ReopenedOrder, Resolution, Withdrawal
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import move
from gateway.withdrawals.recall import UNSIGNED

PAID = "the deposit was paid back after all: its chain was rewritten"
TWICE = "it was paid back after all, and resolved otherwise before: needs a person"
Turned = Row[Resolution, Withdrawal]


async def follow_turned(desk: Desk, network: str) -> bool:
    """Let resolutions end as their withdrawals have by now; tell whether any moved."""
    moved = False
    for resolution, withdrawal in await _turned(desk, network):
        deposit = await locked(desk.session, resolution.deposit_id)
        if withdrawal.status == "failed":
            await _reopen(desk, resolution, deposit, withdrawal)
            moved = True
        else:
            moved |= await _close(desk, resolution, deposit, withdrawal)
    return moved


async def _turned(desk: Desk, network: str) -> Sequence[Turned]:
    """Return what has turned, locked: what opens a deposit before what closes one."""
    unpaid = and_(Resolution.status == "done", Withdrawal.status == "failed")
    paid = and_(Resolution.status == "failed", Withdrawal.status == "completed")
    query = (
        select(Resolution, Withdrawal)
        .join(Withdrawal, Withdrawal.id == Resolution.withdrawal_id)
        .join(ReopenedOrder, ReopenedOrder.order_id == Withdrawal.id)
        .where(Resolution.network_id == network, or_(unpaid, paid))
        .order_by(Withdrawal.status.desc(), Resolution.id)
        .with_for_update(of=Resolution)
        .execution_options(populate_existing=True)
    )
    return (await desk.session.execute(query)).all()


async def _reopen(
    desk: Desk, resolution: Resolution, deposit: Deposit, withdrawal: Withdrawal
) -> None:
    """Let the deposit be nobody's again: its money is back in suspense."""
    before = {"purpose": deposit.purpose, "withdrawal": "completed"}
    deposit.purpose = "unattributed"
    await end(desk, resolution, "failed", withdrawal.failure_reason)
    after = {"purpose": deposit.purpose, "withdrawal": withdrawal.status}
    await note(desk, resolution, "deposit.refund_failed", before, after)


async def _close(
    desk: Desk, resolution: Resolution, deposit: Deposit, withdrawal: Withdrawal
) -> bool:
    """Let the deposit be paid back, where nothing else is live about it; tell whether it moved."""
    before = {"purpose": deposit.purpose, "withdrawal": "failed"}
    live = [await _called_back(desk, each) for each in await _others(desk, resolution)]
    if "done" in live:
        if resolution.failure_reason == TWICE:
            return False
        await end(desk, resolution, "failed", TWICE)
    else:
        deposit.purpose = "refund"  # what waits for a decision finds it so
        if any(status in LIVE for status in live):
            await desk.session.flush()
            return False
        await end(desk, resolution, "done", None)
    after = {
        "purpose": deposit.purpose,
        "withdrawal": withdrawal.status,
        "tx_hash": withdrawal.tx_hash,
    }
    await note(desk, resolution, f"deposit.refund_{resolution.status}", before, after)
    return True


async def _others(desk: Desk, resolution: Resolution) -> Sequence[Resolution]:
    """Return what else is decided or asked about the deposit, locked."""
    query = (
        select(Resolution)
        .where(
            Resolution.deposit_id == resolution.deposit_id,
            Resolution.id != resolution.id,
            Resolution.status.in_(LIVE),
        )
        .order_by(Resolution.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await desk.session.scalars(query)).all()


async def _called_back(desk: Desk, other: Resolution) -> str:
    """End what was approved and is not signed; return its status then."""
    if other.status == "approved":
        await end(desk, other, "failed", NOT_OPEN)
    if other.status == "paying":
        row = await withdrawals.locked(desk.session, other.withdrawal_id or "")
        if row is not None and row.status in UNSIGNED:
            row.rejected_by, row.failure_reason = f"reopened:{other.deposit_id}", PAID
            await move(desk.session, row, "rejected", desk.moment)
            await end(desk, other, "failed", PAID)
    return other.status
