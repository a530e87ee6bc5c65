"""Named queries for sign-ins and sessions. What crosses tenants is a function of the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gateway.domain.actor import Actor, Budget, SignedIn
from gateway.domain.errors import NotFound
from gateway.domain.roles import scopes_of
from gateway.models import User, UserSession

_AUTHENTICATE = text(
    "SELECT *, has_second_factor(user_id) AS enrolled"
    " FROM authenticate_session(:hash, :now, :idle, :quota, :source)"
)
_ACCOUNT = text("SELECT * FROM sign_in_account(:email)")
_OPEN = text(
    "SELECT * FROM open_session(:id, :user_id, :hash, :phc, :livemode, :address, :agent, :now, :ends)"
)
_IS_PASSWORD = text("SELECT is_password(:id, :phc)")
_REFUSED = text(
    "SELECT record_refused_sign_in(:person, :account, :reason, :address, :endpoint, :request, :now)"
)
_STEP_UP = text("SELECT step_up_session(:hash, :new_hash, :now)")
_REHASH = text("SELECT rehash_password(:id, :old, :new)")


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in; `usable` is false where the account or its merchant is suspended or gone.

    `password_hash` is what the right password was hashed to; the stored one is not ours to read.
    """

    id: str
    merchant_id: str | None
    email: str
    usable: bool
    password_salt: str | None = field(repr=False)
    password_hash: str | None = field(default=None, repr=False)

    @property
    def tenant(self) -> str:
        """Return what stands for the tenant in this person's transactions."""
        return self.merchant_id or self.id


@dataclass(frozen=True, slots=True)
class SessionUse:
    """One use of a session: the hash of its token, and from where."""

    token_hash: bytes
    source: str | None


async def person_of(
    connection: AsyncConnection, use: SessionUse, at: datetime, *, idle: timedelta, quota: int
) -> Actor | None:
    """Return whose session this is, across tenants, if it is in force.

    From where its merchant allows nobody it counts for nothing; the caller refuses it by name.
    """
    values = {
        "hash": use.token_hash, "now": at, "idle": idle, "quota": quota, "source": use.source,
    }  # fmt: skip
    row = (await connection.execute(_AUTHENTICATE, values)).one_or_none()
    return None if row is None else _actor(row, use.token_hash)


def _actor(row: Row[Any], token_hash: bytes) -> Actor:
    return Actor(
        key_id=row.user_id,
        merchant_id=row.merchant_id,
        scopes=scopes_of(row.role, row.team_role),
        livemode=row.livemode,
        merchant_ips=tuple(row.merchant_ips),
        suspended=row.suspended,
        budget=Budget(row.quota, row.quota - row.used, row.resets_in) if row.quota else None,
        signed_in=SignedIn(
            row.id, token_hash, row.role, row.factor_pending, row.stepped_up_at, row.enrolled
        ),
    )


async def account_of(session: AsyncSession, email: str) -> Account | None:
    """Return the living account of an e-mail address, across tenants.

    It is spelled as guesses at it are counted: the database's own lower case knows letters that
    would lead to one account by several names.
    """
    row = (await session.execute(_ACCOUNT, {"email": email.lower()})).one_or_none()
    if row is None:
        return None
    return Account(row.id, row.merchant_id, row.email, row.usable, row.password_salt)


async def is_password(session: AsyncSession, user_id: str, phc: str) -> bool:
    """Tell whether this is what the person's password hashes to."""
    return bool(await session.scalar(_IS_PASSWORD, {"id": user_id, "phc": phc}))


async def open_session(session: AsyncSession, values: dict[str, Any]) -> bool | None:
    """Write a session; return whether its second factor is due, None where nobody may open one."""
    row = (await session.execute(_OPEN, values)).one_or_none()
    return None if row is None else bool(row.factor_needed)


async def record_refused(session: AsyncSession, values: dict[str, Any]) -> None:
    """Put a refused sign-in on record, whether or not there is such an account."""
    await session.execute(_REFUSED, values)


async def rehash(session: AsyncSession, user_id: str, old: str, new: str) -> None:
    """Replace a hash by one of today's cost, if it is still the same."""
    await session.execute(_REHASH, {"id": user_id, "old": old, "new": new})


async def step_up(session: AsyncSession, old: bytes, new: bytes, at: datetime) -> bool:
    """Note that a factor was shown; the session has another token from now on."""
    values = {"hash": old, "new_hash": new, "now": at}
    return bool(await session.scalar(_STEP_UP, values))


async def person(session: AsyncSession, user_id: str, *, lock: bool = False) -> User:
    """Return a living person; to this caller only those of its own tenant exist."""
    query = select(User).where(User.id == user_id, User.deleted_at.is_(None))
    row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no user {user_id[:64]}")
    return row


async def sessions_of(
    session: AsyncSession, user_id: str, at: datetime, idle: timedelta
) -> Sequence[UserSession]:
    """Return the sessions of a person that are in force, newest first."""
    query = (
        select(UserSession)
        .where(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > at,
            UserSession.last_active_at > at - idle,
        )
        .order_by(UserSession.id.desc())
        .limit(100)
    )
    return (await session.scalars(query)).all()


async def session_of(
    session: AsyncSession, user_id: str, session_id: str
) -> UserSession | None:
    """Return one session of a person, locked."""
    query = (
        select(UserSession)
        .where(UserSession.id == session_id, UserSession.user_id == user_id)
        .with_for_update()
    )
    return (await session.scalars(query)).one_or_none()


async def revoke_all(
    session: AsyncSession, user_id: str, at: datetime, *, but: str | None = None
) -> int:
    """Revoke a person's sessions, one excepted; return how many there were."""
    change = (
        update(UserSession)
        .where(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > at,
            UserSession.id.is_distinct_from(but),
        )
        .values(revoked_at=at)
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    return len((await session.scalars(change)).all())
