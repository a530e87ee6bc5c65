"""Request bodies about people. The limits are those of the database's checks."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.domain.roles import HouseRole, TeamRole
from gateway.http.parts import Email
from gateway.sessions.schemas import Password, Token

Username = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{2,31}$(?!\n)")]
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{6,14}$(?!\n)")]
"""E.164."""
Status = Literal["active", "suspended"]


class InviteToTeam(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Somebody for a merchant's team."""

    email: Email
    team_role: TeamRole


class InviteToHouse(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Somebody for the operator's own people."""

    email: Email
    role: HouseRole


class AcceptInvitation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who was invited becomes a user with this password."""

    token: Token
    password: Password
    username: Username | None = None
    phone: Phone | None = None


class ChangeTeamMember(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change of a member; fields that are left out stay."""

    team_role: TeamRole | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class ChangeOperator(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change of one of the operator's own; fields that are left out stay."""

    role: HouseRole | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class ChangeProfile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change of oneself; fields that are left out stay."""

    username: Username | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
