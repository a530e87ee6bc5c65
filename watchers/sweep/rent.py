"""What comes back to the payer of a sweep beside what it moved: rent of closed accounts (Solana)."""

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain import posting
from gateway.domain.moment import Moment
from gateway.domain.posting import CUSTODY, JournalEntry
from gateway.ledger.service import post
from gateway.models import Attempt, BalanceHistory, Journal
from gateway.withdrawals.rebooking import named_anew
from watchers.network import NATIVE
from watchers.pay import transactions


def returned(attempt: Attempt) -> int:
    """Return the native units that came to the payer beside what the intent moved: rent.

    Only a Solana sweep says its fee apart: there the payer's change is fee, coins and rent.
    """
    if attempt.fee_units is None or not attempt.success:
        return 0
    intent = attempt.intent
    coins = 0
    if intent.get("asset") == NATIVE:
        coins = sum(int(each["units"]) for each in intent.get("sources", []))
    gained = attempt.payer_gained_units - (attempt.payer_spent_units or 0)
    return gained + attempt.fee_units - coins


async def book(session: AsyncSession, attempt: Attempt, native_id: str, moment: Moment) -> None:
    """Book what came back with a transaction that ended."""
    if back := returned(attempt):
        await post(session, _entry(_ref(attempt), native_id, back), moment)


async def correct(
    session: AsyncSession, ended: Attempt, native_id: str, moment: Moment
) -> None:
    """Book the differences to what was booked on a chain that is gone, for all of its order."""
    where = f"@{ended.block_hash or 'expired'}"
    for each in await transactions.of_order(session, ended.order_id):
        back = returned(each) if each.id == ended.id else 0
        if difference := back - await _booked(session, _ref(each)):
            entry = _entry(_ref(each), native_id, difference, where)
            await post(session, await named_anew(session, entry), moment)


def _ref(attempt: Attempt) -> str:
    return f"{attempt.network_id}:{attempt.tx_hash}"


def _entry(ref: str, native_id: str, back: int, where: str = "") -> JournalEntry:
    """Return the journal; an account that was opened may have taken more than came back."""
    if back > 0:
        return posting.rent(f"{ref}{where}", native_id, back)
    return posting.network_fee(f"{ref}:rent{where}", native_id, -back)


async def _booked(session: AsyncSession, ref: str) -> int:
    """Return what the ledger says came back with a transaction."""

    def named(kind: str, name: str) -> ColumnElement[bool]:
        later = Journal.ref.startswith(f"{name}@", autoescape=True)
        return and_(Journal.kind == kind, or_(Journal.ref == name, later))

    query = (
        select(func.coalesce(func.sum(BalanceHistory.delta_confirmed), 0))
        .join(Journal, Journal.id == BalanceHistory.journal_id)
        .where(
            BalanceHistory.account == CUSTODY,
            or_(named("rent", ref), named("network_fee", f"{ref}:rent")),
        )
    )
    return -int(await session.scalar(query) or 0)
