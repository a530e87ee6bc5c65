"""What the world sees of a session."""

from datetime import datetime
from typing import Literal

import msgspec

from gateway.models import UserSession

SecondFactor = Literal["none", "pending", "passed"]


class SessionDocument(msgspec.Struct, kw_only=True):
    """A person signed in.

    `token` is shown once, when the session begins or is stepped up, and not where it is a cookie.
    While `second_factor` is pending nothing is open but presenting it.
    """

    id: str
    object: str
    user_id: str
    livemode: bool
    current: bool
    second_factor: SecondFactor
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime
    stepped_up_at: datetime | None
    revoked_at: datetime | None
    token: str | None


class EndedDocument(msgspec.Struct, kw_only=True):
    """How many sessions were ended."""

    object: str
    ended: int


class DoneDocument(msgspec.Struct, kw_only=True):
    """It was taken; there is nothing more to tell."""

    object: str
    status: str


def done(what: str) -> DoneDocument:
    """Say that something was taken."""
    return DoneDocument(object=what, status="accepted")


def session_document(
    row: UserSession, *, current: bool, token: str | None = None
) -> SessionDocument:
    """Shape one session from its row."""
    return SessionDocument(
        id=row.id,
        object="session",
        user_id=row.user_id,
        livemode=row.livemode,
        current=current,
        second_factor=_second_factor(row),
        address=row.address,
        user_agent=row.user_agent,
        created_at=row.created_at,
        last_active_at=row.last_active_at,
        expires_at=row.expires_at,
        stepped_up_at=row.stepped_up_at,
        revoked_at=row.revoked_at,
        token=token,
    )


def _second_factor(row: UserSession) -> SecondFactor:
    if row.second_factor_at is not None:
        return "passed"
    return "pending" if row.factor_needed else "none"
