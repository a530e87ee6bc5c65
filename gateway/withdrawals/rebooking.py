"""A withdrawal that had ended, and whose rewritten chain says now that it ended otherwise.

What was paid after all is taken from whoever got the hold back, each time of what they have by then,
and what they do not have is missing in suspense. What was not paid after all is given back to those
who bore it. Each turn happens once: its journal is named like the withdrawal, from the second one on
with its number (`wdr_...#2`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import posting
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.domain.posting import CUSTODY, REVENUE, SUSPENSE, Credit, JournalEntry, Posting
from gateway.ledger.repository import left_of
from gateway.ledger.service import post
from gateway.models import BalanceHistory, Journal, ReopenedOrder, Withdrawal
from gateway.withdrawals.moves import tell, tell_customer
from gateway.withdrawals.recall import recall_refunds
from gateway.withdrawals.repository import held_units

ENDED = ("completed", "failed")
"""How a withdrawal ends whose transaction was signed."""
NOT_PAID = "its chain was rewritten, and what had paid it is not on the new one"


async def rebook(
    session: AsyncSession, withdrawal: Withdrawal, moment: Moment, *, paid: bool
) -> bool:
    """Book how it ended on the new chain; tell whether that is otherwise than before.

    Its row is locked: what turned already does not turn so again. Raises `Conflict` where it was not
    reopened, `recall.Busy` where its invoice is being changed.
    """
    if await session.get(ReopenedOrder, withdrawal.id) is None:
        raise Conflict(f"{withdrawal.id} is {withdrawal.status} already")
    if paid == (withdrawal.status == "completed"):
        return False
    if paid and withdrawal.invoice_id is not None:
        await recall_refunds(session, withdrawal, moment)
    last = await _last_turn(session, withdrawal)
    entry = await (_paid if paid else _unpaid)(session, withdrawal, last)
    if not await post(session, await named_anew(session, entry), moment):
        raise Conflict(f"{withdrawal.id} was booked anew before")
    withdrawal.status = "completed" if paid else "failed"
    withdrawal.failure_reason = None if paid else NOT_PAID
    withdrawal.completed_at = moment.at if paid else None
    withdrawal.blocked_reason, withdrawal.updated_at = None, moment.at
    await session.flush()
    await tell_customer(session, withdrawal, moment)
    await tell(session, withdrawal, f"withdrawal.{withdrawal.status}", moment)
    return True


async def named_anew(session: AsyncSession, entry: JournalEntry) -> JournalEntry:
    """Return a correction under a name that no journal has: a block that went may come back."""
    again = Journal.ref.startswith(f"{entry.ref}#", autoescape=True)
    query = select(func.count()).where(
        Journal.kind == entry.kind, or_(Journal.ref == entry.ref, again)
    )
    used = await session.scalar(query) or 0
    return replace(entry, ref=f"{entry.ref}#{used + 1}") if used else entry


async def _paid(
    session: AsyncSession, withdrawal: Withdrawal, last: Mapping[str, int]
) -> JournalEntry:
    """Take what was given back, of what there is now; a merchant answers for its customer.

    However often it turns: what it could not cover at an earlier turn it may have by now. Of the
    fee the house has what it gave at the last one; the rest was missing in suspense, and goes there.
    """
    held, account = await held_units(session, withdrawal.id), _account(withdrawal)
    left = await left_of(session, account, withdrawal.currency_id)
    surety = None
    if withdrawal.customer_id is not None and withdrawal.merchant_id is not None:
        there = await left_of(session, withdrawal.merchant_id, withdrawal.currency_id)
        surety = withdrawal.merchant_id, there
    fee = held - withdrawal.units
    earned = -last.get(REVENUE, 0) if last else fee
    parts = ((CUSTODY, withdrawal.units), (REVENUE, earned), (SUSPENSE, fee - earned))
    credit = Credit(account, withdrawal.currency_id, held, left, parts, surety)
    return posting.reversal(withdrawal.id, withdrawal.merchant_id, credit)


async def _unpaid(
    session: AsyncSession, withdrawal: Withdrawal, last: Mapping[str, int]
) -> JournalEntry:
    """Give back amount and fee; what was missing at the last turn is given to nobody now.

    A fee that was shared meanwhile is missing in suspense.
    """
    held, currency_id = await held_units(session, withdrawal.id), withdrawal.currency_id
    first = {CUSTODY: withdrawal.units, REVENUE: held - withdrawal.units}
    bore = last or {_account(withdrawal): -held, **first}
    moves = Counter({account: -units for account, units in bore.items()})
    if fee := -moves[REVENUE]:
        for account in sorted({*moves} - {CUSTODY, REVENUE, SUSPENSE}):
            await left_of(session, account, currency_id)  # posting locks it before the revenue
        short = max(0, fee - max(await left_of(session, REVENUE, currency_id), 0))
        moves[REVENUE] += short
        moves[SUSPENSE] -= short
    postings = tuple(
        Posting(account, currency_id, "ADJUSTMENT", confirmed=units)
        for account, units in moves.items()
        if units
    )
    return JournalEntry("reversal", withdrawal.id, withdrawal.merchant_id, postings)


async def _last_turn(session: AsyncSession, withdrawal: Withdrawal) -> dict[str, int]:
    """Return what the last turn moved, by account in base units; empty before the first."""
    later = Journal.ref.startswith(f"{withdrawal.id}#", autoescape=True)
    newest = (
        select(func.max(Journal.id))
        .where(Journal.kind == "reversal", or_(Journal.ref == withdrawal.id, later))
        .scalar_subquery()
    )
    query = (
        select(BalanceHistory.account, func.sum(BalanceHistory.delta_confirmed))
        .where(BalanceHistory.journal_id == newest)
        .group_by(BalanceHistory.account)
    )
    return {row[0]: int(row[1]) for row in await session.execute(query)}


def _account(withdrawal: Withdrawal) -> str:
    return withdrawal.customer_id or withdrawal.merchant_id or SUSPENSE
