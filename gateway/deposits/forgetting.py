"""Taking back final deposits whose blocks were given up: their chain was rewritten below them.

Unlike what an operator reverses one by one, such a deposit comes back when the new chain shows it,
and is credited anew under journals of its next name (`Deposit.reversals`).
"""

from sqlalchemy import select

from gateway.deposits.announcements import announce
from gateway.deposits.arrival import FORGOTTEN, Desk
from gateway.deposits.attribution import ref_of
from gateway.deposits.reversal import CREDITED, reverse
from gateway.deposits.service import INTERNAL
from gateway.domain import posting
from gateway.ledger.repository import left_of
from gateway.ledger.service import post
from gateway.models import Deposit, Resolution, Withdrawal
from gateway.withdrawals.moves import move
from gateway.withdrawals.recall import UNSIGNED, WHY

CAPITAL, REFUND = "capital", "refund"


async def forget(desk: Desk, deposit: Deposit) -> None:
    """Take a confirmed deposit back from whoever was credited; its row is locked."""
    if deposit.purpose in CREDITED:
        await reverse(desk, deposit.id, reason=FORGOTTEN)
    else:
        await _take_back(desk, deposit)
        deposit.status, deposit.reason = "rejected", FORGOTTEN
        await announce(desk.session, [deposit], "deposit.reorged", desk.moment)
    deposit.reversals, deposit.fee_units = deposit.reversals + 1, 0
    await desk.session.flush()


async def _take_back(desk: Desk, deposit: Deposit) -> None:
    """Post the inverse of what nobody but the house was credited with."""
    if deposit.purpose == INTERNAL:
        return  # it only moved, and no journal says so
    if deposit.purpose == REFUND:
        await _call_back(desk, deposit)
    account = posting.EXTERNAL if deposit.purpose == CAPITAL else posting.SUSPENSE
    left = await left_of(desk.session, account, deposit.currency_id)
    parts = ((posting.CUSTODY, deposit.units),)
    credit = posting.Credit(account, deposit.currency_id, deposit.units, left, parts)
    await post(desk.session, posting.reversal(ref_of(deposit), None, credit), desk.moment)


async def _call_back(desk: Desk, deposit: Deposit) -> None:
    """Reject the refund of it, as long as nothing is signed: nothing is there to be paid back."""
    query = (
        select(Withdrawal)
        .join(Resolution, Resolution.withdrawal_id == Withdrawal.id)
        .where(Resolution.deposit_id == deposit.id, Withdrawal.status.in_(UNSIGNED))
        .with_for_update(of=Withdrawal)
    )
    for row in (await desk.session.scalars(query)).all():
        row.rejected_by, row.failure_reason = f"reversal:{deposit.id}", WHY
        await move(desk.session, row, "rejected", desk.moment)
