"""The audit log's chain of hashes: made by the worker, checked by `gateway audit verify`.

Whoever may write the database as its owner can change a row, but not so that the chain still fits
a head that was seen before: the worker writes every new head to its log.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession

from gateway.models import AuditLink

BATCH = 1000
_LINK = text("SELECT link_audit(:batch)")
_LINKS = text("""
SELECT l.place, l.audit_id, l.hash, CASE WHEN a.id IS NOT NULL THEN audit_text(a) END AS said
FROM audit_link l LEFT JOIN audit_log a ON a.id = l.audit_id ORDER BY l.place
""")

_BESIDE = text("""
SELECT (SELECT count(*) FROM audit_log a
        WHERE NOT EXISTS (SELECT 1 FROM audit_link l WHERE l.audit_id = a.id)
          AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.audit_id = a.id)) AS lost,
       (SELECT count(*) FROM audit_pending) AS waiting,
       (SELECT place FROM notification_cursor WHERE source = 'audit'
            AND place > (SELECT coalesce(max(place), 0) FROM audit_link)) AS told
""")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link."""

    place: int
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: the head, rows that have no link yet, and the first fault."""

    head: Head
    waiting: int
    fault: str | None


async def link(session: AsyncSession) -> Head | None:
    """Link what was committed since; return the new head, None where nothing was new."""
    linked = await session.scalar(_LINK, {"batch": BATCH})
    if not linked:
        return None
    newest = select(AuditLink).order_by(AuditLink.place.desc()).limit(1)
    row = (await session.scalars(newest)).one()
    return Head(row.place, row.hash.hex())


async def verify(session: AsyncSession, *, known: str | None = None) -> Finding:
    """Compute every link again, as the owner of the database.

    `known` is `PLACE:HASH` of a head that was seen earlier and must be in the chain.
    """
    head = Head(0, "")
    seen = known is None
    async with _streamed(session) as rows:
        async for row in rows:
            fault = _fault(row, head)
            if fault is not None:
                return Finding(head, 0, fault)
            head = Head(row.place, row.hash.hex())
            seen = seen or known == f"{head.place}:{head.hash}"
    if not seen:
        return Finding(head, 0, f"{known} is not in the chain")
    return await _counted(session, head)


def _fault(row: Row[Any], head: Head) -> str | None:
    """Say why a link does not follow on the one before it."""
    if row.place != head.place + 1:
        return f"link {head.place + 1} is missing"
    if row.said is None:
        return f"link {row.place}: row {row.audit_id} of the log is gone"
    digest = hashlib.sha256(bytes.fromhex(head.hash) + row.said.encode()).digest()
    return None if digest == row.hash else f"row {row.audit_id} is not what was written"


async def _counted(session: AsyncSession, head: Head) -> Finding:
    """Look for rows beside the chain; one statement sees one moment, others go on writing.

    A chain that was cut at its end fits in itself: people were told of links that are gone.
    """
    lost, waiting, told = (await session.execute(_BESIDE)).one()
    fault = None
    if lost:
        fault = f"{lost} rows are neither linked nor waiting for it"
    elif told is not None:
        fault = f"links up to {told} were there, for people were told of them"
    return Finding(head, waiting, fault)


@asynccontextmanager
async def _streamed(session: AsyncSession) -> AsyncIterator[AsyncResult[Any]]:
    """Hold the cursor only while it is read, also where reading ends early."""
    result = await session.stream(_LINKS)
    try:
        yield result
    finally:
        await result.close()
