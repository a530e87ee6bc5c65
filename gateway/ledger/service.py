"""Posting: write one journal once, and let the database do the arithmetic."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import insert, text
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


async def post_many(
    session: AsyncSession, entries: Sequence[JournalEntry], moment: Moment
) -> None:
    """Write journals and their postings with two statements; those written before are skipped.

    Accounts are locked in the order of `post`: merchants first, the hot custody row last.
    """
    if not entries:
        return
    written = await session.execute(
        _JOURNALS,
        {
            "kinds": [entry.kind for entry in entries],
            "refs": [entry.ref for entry in entries],
            "merchants": [entry.merchant_id for entry in entries],
            "at": moment.at,
        },
    )
    ids = {(row.kind, row.ref): row.id for row in written}
    rows = [
        (ids[entry.kind, entry.ref], posting)
        for entry in entries
        if (entry.kind, entry.ref) in ids
        for posting in entry.postings
    ]
    rows.sort(key=lambda row: _lock_order(row[1]))
    await session.execute(
        _POSTINGS,
        {
            "journals": [journal_id for journal_id, _ in rows],
            "accounts": [posting.account for _, posting in rows],
            "currencies": [posting.currency_id for _, posting in rows],
            "types": [posting.change_type for _, posting in rows],
            "confirmed": [Decimal(posting.confirmed) for _, posting in rows],
            "locked": [Decimal(posting.locked) for _, posting in rows],
            "at": moment.at,
        },
    )


async def post_covered(session: AsyncSession, entry: JournalEntry, moment: Moment) -> None:
    """Post what a caller asked for; refuse it where the balance does not cover it."""
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


_JOURNALS = text("""
INSERT INTO journal (kind, ref, merchant_id, at)
SELECT kind, ref, merchant_id, :at
FROM unnest(CAST(:kinds AS text[]), CAST(:refs AS text[]), CAST(:merchants AS text[]))
    WITH ORDINALITY AS entry (kind, ref, merchant_id, place)
ORDER BY place
ON CONFLICT (kind, ref) DO NOTHING
RETURNING id, kind, ref
""")
# The trigger fills the rest, row by row in this order.
_POSTINGS = text("""
INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed,
                             delta_locked, at)
SELECT journal_id, account, currency_id, change_type, confirmed, locked, :at
FROM unnest(CAST(:journals AS bigint[]), CAST(:accounts AS text[]), CAST(:currencies AS text[]),
            CAST(:types AS text[]), CAST(:confirmed AS numeric[]), CAST(:locked AS numeric[]))
    WITH ORDINALITY AS posting (journal_id, account, currency_id, change_type, confirmed, locked,
                                place)
ORDER BY place
""")
