"""Posting: write one journal once, and let the database do the arithmetic."""

from collections.abc import Sequence
from typing import LiteralString

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import as_json, send
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
    await _post_all(session, entries, moment, _POSTINGS)


async def post_run(
    session: AsyncSession, entries: Sequence[JournalEntry], moment: Moment
) -> None:
    """As `post_many`, but each wallet is written once, however many postings it has.

    The watcher alone may do so.
    """
    await _post_all(session, entries, moment, _RUN)


async def _post_all(
    session: AsyncSession,
    entries: Sequence[JournalEntry],
    moment: Moment,
    statement: LiteralString,
) -> None:
    if not entries:
        return
    journals = [
        {"place": place, "kind": entry.kind, "ref": entry.ref, "merchant_id": entry.merchant_id}
        for place, entry in enumerate(entries)
    ]
    written = await send(session, _JOURNALS, {"rows": as_json(journals), "at": moment.at})
    ids = {(kind, ref): journal_id for journal_id, kind, ref in written}
    rows = [
        (ids[entry.kind, entry.ref], posting)
        for entry in entries
        if (entry.kind, entry.ref) in ids
        for posting in entry.postings
    ]
    rows.sort(key=lambda row: _lock_order(row[1]))
    postings = [
        {
            "place": place,
            "journal": journal_id,
            "account": posting.account,
            "currency": posting.currency_id,
            "type": posting.change_type,
            "confirmed": str(posting.confirmed),
            "locked": str(posting.locked),
        }
        for place, (journal_id, posting) in enumerate(rows)
    ]
    await send(session, statement, {"rows": as_json(postings), "at": moment.at})


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


# Rows are one value: the driver takes arrays apart more slowly than the database reads JSON.
_JOURNALS = """
INSERT INTO journal (kind, ref, merchant_id, at)
SELECT kind, ref, merchant_id, %(at)s
FROM jsonb_to_recordset(%(rows)s)
    AS entry (place bigint, kind text, ref text, merchant_id text)
ORDER BY place
ON CONFLICT (kind, ref) DO NOTHING
RETURNING id, kind, ref
"""
# The trigger fills the rest, row by row in this order.
_POSTINGS = """
INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed,
                             delta_locked, at)
SELECT journal, account, currency, type, confirmed, locked, %(at)s
FROM jsonb_to_recordset(%(rows)s)
    AS posting (place bigint, journal bigint, account text, currency text, type text,
                confirmed numeric, locked numeric)
ORDER BY place
"""
# The trigger of this view does the same for all rows at once.
_RUN = "INSERT INTO posting_run (entries, at) VALUES (%(rows)s, %(at)s)"
