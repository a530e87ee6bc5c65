"""The queue of messages in the database: lease what is due, settle what was tried.

A lease is a short transaction, as with webhooks: nothing is locked while a server is talked to.
An attempt counts when it is leased, so whoever dies in the middle of it has made it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography.exceptions import InvalidTag
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.notifications.delivery import ATTEMPTS_MAX, Letter, Outcome, judge
from gateway.notifications.sealing import Sealing

LEASE = timedelta(seconds=90)
UNSENT_MAX = timedelta(days=2)
KEPT = timedelta(days=90)

# One message to a person at a time, and so many an hour, for each merchant that writes there: no
# other can fill the hour of its alerts. Those with a secret count for themselves: a flood of other
# mail does not keep a reset link away. Only the first of each queue is looked at, by the index of
# its queues, spelled as there: however long one is, the others do not wait behind it.
_LINE = "CASE WHEN n.recipient LIKE '%@%' THEN 'mail' ELSE 'target' END"
_QUEUE = f"{_LINE}, lower(n.recipient), coalesce(n.merchant_id, ''), n.secret"
_NAMED = "lower(n.recipient) AS mailbox, coalesce(n.merchant_id, '') AS owner, n.secret"
_WAITING = f"n.status IN ('scheduled', 'retrying') AND {_LINE} = :line"
_LEASE = text(f"""
WITH RECURSIVE queue AS (
    (SELECT {_NAMED} FROM notification n WHERE {_WAITING} ORDER BY {_QUEUE} LIMIT 1)
    UNION ALL
    SELECT f.* FROM queue q CROSS JOIN LATERAL (
        SELECT {_NAMED} FROM notification n WHERE {_WAITING}
          AND (lower(n.recipient), coalesce(n.merchant_id, ''), n.secret) > (q.mailbox, q.owner, q.secret)
        ORDER BY {_QUEUE} LIMIT 1) f
), due AS (
    SELECT q.*, f.id, f.next_attempt_at FROM queue q CROSS JOIN LATERAL (
        SELECT n.id, n.next_attempt_at FROM notification n WHERE {_WAITING}
          AND lower(n.recipient) = q.mailbox AND coalesce(n.merchant_id, '') = q.owner AND n.secret = q.secret
          AND n.next_attempt_at <= :at AND (n.leased_until IS NULL OR n.leased_until <= :at)
          AND n.attempts < :attempts_max
        ORDER BY {_QUEUE}, n.next_attempt_at LIMIT 1) f
), chosen AS (
    SELECT d.id FROM due d
    WHERE NOT EXISTS (SELECT 1 FROM notification o WHERE lower(o.recipient) = d.mailbox
            AND coalesce(o.merchant_id, '') = d.owner AND o.secret = d.secret
            AND o.status IN ('scheduled', 'retrying') AND o.leased_until > :at)
      AND (SELECT count(*) FROM notification s WHERE lower(s.recipient) = d.mailbox
            AND coalesce(s.merchant_id, '') = d.owner AND s.secret = d.secret
            AND s.status = 'sent' AND s.ended_at > :an_hour_ago) < :per_hour
    ORDER BY d.secret DESC, d.next_attempt_at LIMIT :wanted
), mine AS (
    SELECT n.id FROM notification n JOIN chosen USING (id)
    WHERE n.status IN ('scheduled', 'retrying') AND (n.leased_until IS NULL OR n.leased_until <= :at)
    FOR UPDATE OF n SKIP LOCKED
), changed AS (
    UPDATE notification n SET leased_until = :until, attempts = n.attempts + 1
    FROM mine WHERE n.id = mine.id
    RETURNING n.*
)
SELECT c.id, c.merchant_id, c.kind, c.recipient, c.subject, c.body, c.sealed, c.attempts, c.leased_until,
    t.id AS target_id, t.sealed AS target
FROM changed c LEFT JOIN notification_target t
    ON t.merchant_id = c.merchant_id AND t.name = c.recipient AND t.deleted_at IS NULL
""")  # noqa: S608 - words of this file alone

_SETTLE = text("""
UPDATE notification n SET status = r.status, next_attempt_at = coalesce(r.next_attempt_at, n.next_attempt_at),
    error = r.error, leased_until = NULL,
    ended_at = CASE WHEN r.status = 'retrying' THEN NULL ELSE CAST(:at AS timestamptz) END,
    sealed = CASE WHEN r.status = 'retrying' THEN n.sealed END
FROM unnest(CAST(:ids AS text[]), CAST(:leases AS timestamptz[]), CAST(:statuses AS text[]),
            CAST(:nexts AS timestamptz[]), CAST(:errors AS text[]))
    AS r (id, leased_until, status, next_attempt_at, error)
WHERE n.id = r.id AND n.leased_until = r.leased_until AND n.status IN ('scheduled', 'retrying')
RETURNING n.id, n.status
""")

_GIVE_UP = text("""
UPDATE notification SET status = 'failed', ended_at = :at, sealed = NULL, leased_until = NULL,
    error = coalesce(error, 'it could not be sent in time')
WHERE status IN ('scheduled', 'retrying') AND (leased_until IS NULL OR leased_until <= :at)
  AND (created_at < :unsent OR attempts >= :attempts_max)
RETURNING id
""")

_FORGET = text("DELETE FROM notification WHERE ended_at < :before")


@dataclass(frozen=True, slots=True)
class Tried:
    """A letter and what came of it."""

    letter: Letter
    outcome: Outcome


async def lease(
    session: AsyncSession,
    sealing: Sealing,
    moment: Moment,
    *,
    mail: bool,
    wanted: int,
    per_hour: int,
) -> list[Letter]:
    """Take up to `wanted` due messages, e-mails or those to targets; what is too much waits."""
    at = moment.at
    rows = await session.execute(
        _LEASE,
        {
            "at": at,
            "until": at + LEASE,
            "an_hour_ago": at - timedelta(hours=1),
            "attempts_max": ATTEMPTS_MAX,
            "line": "mail" if mail else "target",
            "wanted": wanted,
            "per_hour": per_hour,
        },
    )
    return [_letter(row, sealing) for row in rows]


def _letter(row: Row[tuple[object, ...]], sealing: Sealing) -> Letter:
    return Letter(
        id=row.id,
        merchant_id=row.merchant_id,
        kind=row.kind,
        recipient=row.recipient,
        subject=row.subject,
        body=row.body if row.sealed is None else _opened(sealing, row.sealed, row.id),
        attempts=row.attempts,
        leased_until=row.leased_until,
        target=None if row.target is None else _opened(sealing, row.target, row.target_id),
    )


def _opened(sealing: Sealing, sealed: bytes, row_id: str) -> str | None:
    """Return None where the master secret is not the one that sealed it."""
    try:
        return sealing.open(sealed, row_id)
    except InvalidTag:
        return None


async def settle(
    session: AsyncSession, tried: Sequence[Tried], moment: Moment
) -> dict[str, str]:
    """Write what came of a batch; return the states by id of those that were still ours."""
    verdicts = [judge(each.outcome, each.letter.attempts, moment.at) for each in tried]
    rows = await session.execute(
        _SETTLE,
        {
            "at": moment.at,
            "ids": [each.letter.id for each in tried],
            "leases": [each.letter.leased_until for each in tried],
            "statuses": [verdict.status for verdict in verdicts],
            "nexts": [verdict.next_attempt_at for verdict in verdicts],
            "errors": [each.outcome.words for each in tried],
        },
    )
    return {row.id: row.status for row in rows}


async def give_up(session: AsyncSession, moment: Moment) -> int:
    """Fail what was tried often enough or is too old to matter; return how many."""
    given_up = await session.scalars(
        _GIVE_UP,
        {"at": moment.at, "unsent": moment.at - UNSENT_MAX, "attempts_max": ATTEMPTS_MAX},
    )
    return len(given_up.all())


async def forget(session: AsyncSession, moment: Moment) -> None:
    """Delete what ended so long ago that nobody asks for it."""
    await session.execute(_FORGET, {"before": moment.at - KEPT})
