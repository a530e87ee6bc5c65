"""Posting: write one journal once, and let the database do the arithmetic."""

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Invalid
from gateway.domain.moment import Moment
from gateway.domain.posting import CUSTODY, JournalEntry, Posting
from gateway.models import BalanceHistory, Journal


async def post(session: AsyncSession, entry: JournalEntry, moment: Moment) -> bool:
    """Write the journal and its postings; return False where it was written before.

    Accounts are locked in one order everywhere (merchants first, the hot custody row last), so
    two journals never wait for each other.
    """
    journal_id = await session.scalar(
        insert_or_skip(Journal)
        .values(kind=entry.kind, ref=entry.ref, merchant_id=entry.merchant_id, at=moment.at)
        .on_conflict_do_nothing(index_elements=["kind", "ref"])
        .returning(Journal.id)
    )
    if journal_id is None:
        return False
    for posting in sorted(entry.postings, key=_lock_order):
        await session.execute(
            insert(BalanceHistory)
            .values(
                journal_id=journal_id,
                account=posting.account,
                currency_id=posting.currency_id,
                change_type=posting.change_type,
                delta_confirmed=posting.confirmed,
                delta_locked=posting.locked,
                at=moment.at,
            )
            .inline()
        )
    return True


async def hold(session: AsyncSession, entry: JournalEntry, moment: Moment) -> None:
    """Post a hold; refuse it where the balance does not cover it."""
    try:
        async with session.begin_nested():
            await post(session, entry, moment)
    except IntegrityError as fault:
        if "wallet" not in str(fault.orig):
            raise
        raise Invalid.field(
            "/amount", "insufficient_balance", "the confirmed balance does not cover this"
        ) from fault


def _lock_order(posting: Posting) -> tuple[bool, str, str]:
    return (posting.account == CUSTODY, posting.account, posting.currency_id)
