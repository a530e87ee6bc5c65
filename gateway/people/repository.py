"""Named queries for people and invitations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.domain.roles import ADMIN, OWNER
from gateway.models import Invitation, User
from gateway.paging import PageRequest, Slice, newest_first

_INVITED = text("SELECT invited_email(:hash, :now)")
_ACCEPT = text("SELECT * FROM accept_invitation(:hash, :id, :username, :phone, :phc, :now)")
_INVITE = text("SELECT invite_operator(:hash, :id, :secret, :email, :role, :now, :ends)")
_SET_ROLE = text("SELECT set_operator_role(:hash, :user_id, :role, :now)")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The person that an invitation became."""

    id: str
    merchant_id: str | None
    email: str
    role: str
    team_role: str | None


async def people_page(
    session: AsyncSession, merchant_id: str | None, page: PageRequest
) -> Slice[User]:
    """Return the living people of one merchant, or with None the operator's own."""
    query = select(User).where(
        User.merchant_id.is_not_distinct_from(merchant_id), User.deleted_at.is_(None)
    )
    return await newest_first(session, query, User.id, page)


async def member(
    session: AsyncSession, merchant_id: str | None, user_id: str, *, lock: bool = False
) -> User:
    """Return one living person of the merchant, or with None of the operator's own."""
    query = select(User).where(
        User.id == user_id,
        User.merchant_id.is_not_distinct_from(merchant_id),
        User.deleted_at.is_(None),
    )
    row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no user {user_id[:64]}")
    return row


async def locked_owners(session: AsyncSession, merchant_id: str) -> Sequence[str]:
    """Lock the owners who may act and return their ids: changes to a team come one by one."""
    query = (
        select(User.id)
        .where(
            User.merchant_id == merchant_id,
            User.team_role == OWNER,
            User.status == "active",
            User.deleted_at.is_(None),
        )
        .order_by(User.id)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def locked_admins(session: AsyncSession) -> Sequence[str]:
    """Lock the admins who may act and return their ids: changes to the house come one by one."""
    query = (
        select(User.id)
        .where(User.role == ADMIN, User.status == "active", User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def invitation_page(
    session: AsyncSession, merchant_id: str | None, page: PageRequest
) -> Slice[Invitation]:
    """Return the invitations of one merchant, or with None to the operator's own."""
    query = select(Invitation).where(Invitation.merchant_id.is_not_distinct_from(merchant_id))
    return await newest_first(session, query, Invitation.id, page)


async def invitation_of(
    session: AsyncSession, merchant_id: str | None, invitation_id: str, *, lock: bool = False
) -> Invitation:
    """Return one invitation."""
    query = select(Invitation).where(
        Invitation.id == invitation_id,
        Invitation.merchant_id.is_not_distinct_from(merchant_id),
    )
    row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no invitation {invitation_id[:64]}")
    return row


async def invited_since(session: AsyncSession, merchant_id: str, since: datetime) -> int:
    """Return how many invitations to a merchant's team were written since then."""
    query = select(func.count()).where(
        Invitation.merchant_id == merchant_id, Invitation.created_at > since
    )
    return await session.scalar(query) or 0


async def open_invitations_by(session: AsyncSession, user_id: str) -> Sequence[Invitation]:
    """Lock and return what a person offered and nobody took yet."""
    query = (
        select(Invitation)
        .where(
            Invitation.invited_by == user_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .order_by(Invitation.id)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def open_invitations(
    session: AsyncSession, merchant_id: str | None, email: str | None
) -> Sequence[Invitation]:
    """Lock and return what nobody took yet of one merchant, or of the house; with a mailbox its own."""
    query = (
        select(Invitation)
        .where(
            Invitation.merchant_id.is_not_distinct_from(merchant_id),
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .order_by(Invitation.id)
        .with_for_update()
    )
    if email is not None:
        query = query.where(func.lower(Invitation.email) == func.lower(email))
    return (await session.scalars(query)).all()


async def has_people(session: AsyncSession, merchant_id: str) -> bool:
    """Tell whether somebody is in a merchant's team; who is suspended may come back to it."""
    query = select(User.id).where(User.merchant_id == merchant_id, User.deleted_at.is_(None))
    return await session.scalar(query.limit(1)) is not None


async def add_invitation(session: AsyncSession, values: dict[str, Any]) -> None:
    """Write an invitation to a merchant's team."""
    await session.execute(insert(Invitation).values(**values))


async def has_admin(session: AsyncSession) -> bool:
    """Tell whether somebody living is an admin."""
    query = select(User.id).where(User.role == ADMIN, User.deleted_at.is_(None)).limit(1)
    return await session.scalar(query) is not None


async def revoke_admin_invitations(session: AsyncSession, at: datetime) -> None:
    """Take back what invited an admin before: one token at a time opens the house."""
    await session.execute(
        update(Invitation)
        .where(
            Invitation.role == ADMIN,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .values(revoked_at=at)
        .execution_options(synchronize_session=False)
    )


async def invite_operator(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Write an invitation to the operator's own people, by an admin's stepped-up session."""
    return bool(await session.scalar(_INVITE, values))


async def set_operator_role(
    session: AsyncSession, session_hash: bytes, user_id: str, role: str, at: datetime
) -> bool:
    """Change what one of the operator's own is, by an admin's stepped-up session."""
    values = {"hash": session_hash, "user_id": user_id, "role": role, "now": at}
    return bool(await session.scalar(_SET_ROLE, values))


async def invited_email(session: AsyncSession, token_hash: bytes, at: datetime) -> str | None:
    """Return the address of an invitation that stands."""
    found: str | None = await session.scalar(_INVITED, {"hash": token_hash, "now": at})
    return found


async def accept(session: AsyncSession, values: dict[str, Any]) -> Accepted | None:
    """Make the person; None where the token does not count."""
    row = (await session.execute(_ACCEPT, values)).one_or_none()
    if row is None:
        return None
    return Accepted(row.id, row.merchant_id, row.email, row.role, row.team_role)
