"""What the world sees of the audit log."""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.models import AuditLog

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class AuditEntryDocument(msgspec.Struct, kw_only=True):
    """One change: who made it, from where, by which request, and both sides of what it changed.

    `actor` is a key, a person, the house's own round (`auto:`) or the machine's terminal (`cli:`).
    """

    id: str
    object: str
    actor: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str | None
    endpoint: str | None
    request_id: str | None
    created_at: datetime


def entry_id(at: datetime, place: int) -> str:
    """Return a name that counts within one moment of one tenant and tells nothing of others."""
    return f"aud_{(at - _EPOCH) // _MICROSECOND}_{place}"


def moment_of(name: str) -> tuple[datetime, int] | None:
    """Return the moment and the place that an entry's name says, None where it is no such name."""
    parts = name.removeprefix("aud_").split("_")
    if len(parts) != 2 or not all(p.isascii() and p.isdecimal() and len(p) < 17 for p in parts):
        return None
    return _EPOCH + int(parts[0]) * _MICROSECOND, int(parts[1])


def entry_document(
    row: AuditLog, place: int, *, own: AbstractSet[str] | None = None
) -> AuditEntryDocument:
    """Shape one entry; `place` counts those of the same tenant and moment before it.

    With `own` addresses are shown of these actors alone: where the house sits is the house's.
    """
    shown = own is None or row.actor in own
    return AuditEntryDocument(
        id=entry_id(row.at, place),
        object="audit_entry",
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        before=row.before,
        after=row.after,
        address=row.address if shown else None,
        endpoint=row.endpoint,
        request_id=row.request_id,
        created_at=row.at,
    )
