"""Named queries for second factors.

Every write is a function of the database that takes the hash of the session's token: without the
token itself nobody changes a person's factors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.factors.passkeys import NewPasskey
from gateway.models import Passkey, RecoveryCode, Totp, User

_OFFER_TOTP = text("SELECT offer_totp(:token, :sealed, :at)")
_CONFIRM_TOTP = text("SELECT confirm_totp(:token, :sealed, :step, :at)")
_USE_TOTP = text("SELECT use_totp(:token, :step, :at)")
_DROP_TOTP = text("SELECT drop_totp(:token, :at)")
_WRITE_CODES = text("SELECT write_recovery_codes(:token, :hashes, :at)")
_USE_CODE = text("SELECT use_recovery_code(:token, :code, :at)")
_ASK_CHALLENGE = text("SELECT ask_challenge(:token, :ceremony, :challenge, :at, :ends)")
_TAKE_CHALLENGE = text("SELECT take_challenge(:token, :ceremony, :at)")
_USE_PASSKEY = text("SELECT use_passkey(:token, :credential_id, :count, :at)")
_DROP_PASSKEY = text("SELECT drop_passkey(:token, :passkey_id, :at)")
_ADD_PASSKEY = text(
    "SELECT add_passkey(:token, :id, :name, :credential_id, :public_key, :count, :ways, :at)"
)
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_REFUSED = text("SELECT refused_proofs(:token, :at)")
_RESET = text("SELECT * FROM reset_factors(:token, :user_id, :at)")
_DROP = text(
    "SELECT f.* FROM users u, drop_factors(u.id, :at) f"
    " WHERE lower(u.email) = lower(:email) AND u.deleted_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a browser shall do with a challenge (`create` or `get`), and until when."""

    ceremony: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Gone:
    """Whose factors were taken; `had` says whether there was one."""

    user_id: str
    merchant_id: str | None
    email: str
    had: bool


async def email_of(session: AsyncSession, user_id: str) -> str:
    """Return a person's address."""
    return (await session.scalars(select(User.email).where(User.id == user_id))).one()


async def totp_of(session: AsyncSession, user_id: str) -> Totp | None:
    """Return the person's authenticator app, one that is only offered too."""
    return await session.get(Totp, user_id, populate_existing=True)


async def passkeys_of(session: AsyncSession, user_id: str) -> Sequence[Passkey]:
    """Return the person's passkeys, oldest first."""
    query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)
    query = query.execution_options(populate_existing=True)
    return (await session.scalars(query)).all()


async def codes_left(session: AsyncSession, user_id: str) -> int:
    """Return how many recovery codes are unused."""
    query = select(func.count(RecoveryCode.created_at)).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return await session.scalar(query) or 0


async def rename_passkey(
    session: AsyncSession, user_id: str, passkey_id: str, name: str
) -> bool:
    """Give a passkey of the person another name; False where there is none."""
    query = (
        update(Passkey)
        .where(Passkey.id == passkey_id, Passkey.user_id == user_id)
        .values(name=name)
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(query) is not None


async def offer_totp(session: AsyncSession, token: bytes, sealed: str, at: datetime) -> bool:
    """Keep a sealed secret until a code of it is shown."""
    return await _asked(session, _OFFER_TOTP, token=token, sealed=sealed, at=at)


async def confirm_totp(
    session: AsyncSession, token: bytes, sealed: str, step: int, at: datetime
) -> bool:
    """Put the offered secret in force; its first step is spent."""
    return await _asked(session, _CONFIRM_TOTP, token=token, sealed=sealed, step=step, at=at)


async def use_totp(session: AsyncSession, token: bytes, step: int, at: datetime) -> bool:
    """Spend a step; False where it, or a later one, was spent before."""
    return await _asked(session, _USE_TOTP, token=token, step=step, at=at)


async def drop_totp(session: AsyncSession, token: bytes, at: datetime) -> bool:
    """Remove the app; False where none was in force."""
    return await _asked(session, _DROP_TOTP, token=token, at=at)


async def write_codes(
    session: AsyncSession, token: bytes, hashes: Sequence[bytes], at: datetime
) -> bool:
    """Replace the recovery codes; False where the person has no factor."""
    return await _asked(session, _WRITE_CODES, token=token, hashes=list(hashes), at=at)


async def use_code(session: AsyncSession, token: bytes, code: bytes, at: datetime) -> bool:
    """Spend a recovery code; False where it is not one, or was spent."""
    return await _asked(session, _USE_CODE, token=token, code=code, at=at)


async def ask_challenge(
    session: AsyncSession, token: bytes, asked: Asked, challenge: bytes, at: datetime
) -> bool:
    """Keep what a browser is asked to sign."""
    return await _asked(
        session,
        _ASK_CHALLENGE,
        token=token,
        ceremony=asked.ceremony,
        challenge=challenge,
        at=at,
        ends=asked.ends,
    )


async def take_challenge(
    session: AsyncSession, token: bytes, ceremony: str, at: datetime
) -> bytes | None:
    """Take what the session's browser was asked to sign; nobody gets it again."""
    values = {"token": token, "ceremony": ceremony, "at": at}
    taken: bytes | None = await session.scalar(_TAKE_CHALLENGE, values)
    return taken


async def add_passkey(
    session: AsyncSession,
    token: bytes,
    passkey_id: str,
    new: NewPasskey,
    *,
    name: str,
    at: datetime,
) -> bool:
    """Keep a passkey; False where it is known already or the person has enough."""
    return await _asked(
        session,
        _ADD_PASSKEY,
        token=token,
        id=passkey_id,
        name=name,
        credential_id=new.credential_id,
        public_key=new.public_key,
        count=new.sign_count,
        ways=list(new.transports),
        at=at,
    )


async def use_passkey(
    session: AsyncSession, token: bytes, credential_id: bytes, count: int, at: datetime
) -> bool:
    """Move a passkey's counter on; False where it stands there already."""
    return await _asked(
        session, _USE_PASSKEY, token=token, credential_id=credential_id, count=count, at=at
    )


async def drop_passkey(
    session: AsyncSession, token: bytes, passkey_id: str, at: datetime
) -> bool:
    """Remove one of the person's passkeys; False where there is none."""
    return await _asked(session, _DROP_PASSKEY, token=token, passkey_id=passkey_id, at=at)


async def one_by_one(session: AsyncSession, user_id: str) -> None:
    """Wait for whoever else writes down a refused proof of this person, until their commit.

    Then the count is exact, and guesses sent side by side do not step over the one that warns.
    """
    await session.execute(_ONE_BY_ONE, {"name": f"refused proof\n{user_id}"})


async def refused_proofs(session: AsyncSession, token: bytes, at: datetime) -> int:
    """Return how many proofs of the person were refused within an hour."""
    return int(await session.scalar(_REFUSED, {"token": token, "at": at}) or 0)


async def reset_factors(
    session: AsyncSession, token: bytes, user_id: str, at: datetime
) -> Gone | None:
    """Take every factor from a person by an admin's session; None where there is nobody."""
    return await _gone(session, _RESET, token=token, user_id=user_id, at=at)


async def drop_factors(session: AsyncSession, email: str, at: datetime) -> Gone | None:
    """Take every factor from a person, as gw_owner; None where there is nobody."""
    return await _gone(session, _DROP, email=email, at=at)


async def _gone(session: AsyncSession, statement: TextClause, **values: Any) -> Gone | None:
    row = (await session.execute(statement, values)).one_or_none()
    return None if row is None else Gone(row.user_id, row.merchant_id, row.email, row.had)


async def _asked(session: AsyncSession, statement: TextClause, **values: Any) -> bool:
    return bool(await session.scalar(statement, values))
