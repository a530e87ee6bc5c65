"""What the world sees of people and invitations."""

from datetime import datetime

import msgspec

from gateway.models import Invitation, User


class UserDocument(msgspec.Struct, kw_only=True):
    """A person; `merchant_id` and `team_role` are null for the operator's own."""

    id: str
    object: str
    merchant_id: str | None
    email: str
    email_verified: bool
    username: str | None
    phone: str | None
    role: str
    team_role: str | None
    status: str
    created_at: datetime
    last_active_at: datetime | None
    password_changed_at: datetime | None
    deleted_at: datetime | None


class InvitationDocument(msgspec.Struct, kw_only=True):
    """A person to be; the token goes to the mailbox and is shown nowhere."""

    id: str
    object: str
    merchant_id: str | None
    email: str
    role: str
    team_role: str | None
    invited_by: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    user_id: str | None
    revoked_at: datetime | None


def user_document(row: User) -> UserDocument:
    """Shape one person from its row."""
    return UserDocument(
        id=row.id,
        object="user",
        merchant_id=row.merchant_id,
        email=row.email,
        email_verified=row.email_verified_at is not None,
        username=row.username,
        phone=row.phone,
        role=row.role,
        team_role=row.team_role,
        status=row.status,
        created_at=row.created_at,
        last_active_at=row.last_active_at,
        password_changed_at=row.password_changed_at,
        deleted_at=row.deleted_at,
    )


def invitation_document(row: Invitation) -> InvitationDocument:
    """Shape one invitation from its row."""
    return InvitationDocument(
        id=row.id,
        object="invitation",
        merchant_id=row.merchant_id,
        email=row.email,
        role=row.role,
        team_role=row.team_role,
        invited_by=row.invited_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        accepted_at=row.accepted_at,
        user_id=row.user_id,
        revoked_at=row.revoked_at,
    )
