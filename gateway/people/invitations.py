"""Invitations: who may ask whom in, and how an invitation becomes a person."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Forbidden, Invalid, TooMany
from gateway.domain.moment import Moment
from gateway.domain.roles import ADMIN, MERCHANT
from gateway.merchants.repository import merchant_of
from gateway.models import Invitation, User
from gateway.notifications import Message, post
from gateway.people import repository
from gateway.people.documents import (
    InvitationDocument,
    UserDocument,
    invitation_document,
    user_document,
)
from gateway.people.offers import Desk, note, replace_letters
from gateway.sessions import tokens
from gateway.sessions.credentials import dead_token, new_hash
from gateway.sessions.letters import shown
from gateway.sessions.service import Door
from gateway.settings import PeopleSettings

A_DAY = timedelta(days=1)
INVITATIONS_A_DAY = 100
"""They go to whatever mailbox the team names: nobody makes the house's mail server a spammer's."""
RETRY_SECONDS = 3600


async def invite_to_team(
    desk: Desk, merchant_id: str, email: str, team_role: str
) -> InvitationDocument:
    """Ask somebody into a merchant's team, inside that tenant; so many a day.

    What was written to the same mailbox before ends: nobody has a choice of roles, or a way back.
    """
    # Its row lock makes counting, replacing and writing one step.
    await merchant_of(desk.session, merchant_id, lock=True)
    since = desk.moment.at - A_DAY
    if await repository.invited_since(desk.session, merchant_id, since) >= INVITATIONS_A_DAY:
        raise TooMany(
            f"a team invites {INVITATIONS_A_DAY} times a day",
            code="too_many_invitations",
            retry_after_seconds=RETRY_SECONDS,
        )
    token, values = _drawn(desk, email)
    await replace_letters(desk, merchant_id, str(values["email"]))
    values |= {
        "merchant_id": merchant_id,
        "role": MERCHANT,
        "team_role": team_role,
        "mailed": True,
        "invited_by": desk.actor.key_id,
    }
    await repository.add_invitation(desk.session, values)
    return await _sent(desk, merchant_id, str(values["id"]), token)


async def invite_by_house(
    desk: Desk, merchant_id: str, email: str, team_role: str
) -> InvitationDocument:
    """Ask the first one into a merchant's team, as an operator inside that tenant.

    One offer stands at a time, and none is made beside people who are there: else whoever is of
    the house could be a second person at the merchant's own gate.
    """
    await merchant_of(desk.session, merchant_id, lock=True)
    if await repository.has_people(desk.session, merchant_id):
        raise Conflict("the team has people: its owners invite", code="team_not_empty")
    await replace_letters(desk, merchant_id, None)
    return await invite_to_team(desk, merchant_id, email, team_role)


async def invite_to_house(desk: Desk, email: str, role: str) -> InvitationDocument:
    """Ask somebody to the operator's own people; the database takes it from an admin alone."""
    token, values = _drawn(desk, email)
    await repository.locked_admins(desk.session)
    await replace_letters(desk, None, str(values["email"]))
    asked = {
        "hash": desk.actor.session.token_hash,
        "id": values["id"],
        "secret": values["token_hash"],
        "email": values["email"],
        "role": role,
        "now": values["created_at"],
        "ends": values["expires_at"],
    }
    if not await repository.invite_operator(desk.session, asked):
        raise Forbidden("only an admin invites here", code="insufficient_scope")
    return await _sent(desk, None, str(values["id"]), token)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What somebody says who was invited."""

    token: str = field(repr=False)
    password: str = field(repr=False)
    username: str | None
    phone: str | None


async def accept_invitation(door: Door, who: Newcomer) -> UserDocument:
    """Make the person that was invited. What is wrong with the token is not told apart."""
    digest, moment = tokens.hashed(who.token), door.moment
    async with door.database.unit_of_work(None) as session:
        email = await repository.invited_email(session, digest, moment.at)
    if email is None:
        raise dead_token()
    phc = await new_hash(door, "/password", who.password, [email, who.username or ""])
    values = {
        "hash": digest, "id": moment.id("usr"), "username": who.username,
        "phone": who.phone, "phc": phc, "now": moment.at,
    }  # fmt: skip
    async with door.database.unit_of_work(None) as session:
        try:
            made = await repository.accept(session, values)
        except IntegrityError as fault:
            raise taken(fault) from fault
        if made is None:
            raise dead_token()
        async with acting_for(session, made.merchant_id or made.id):
            actor = door.visitor.as_actor(made.id, made.merchant_id)
            after = {"email": made.email, "role": made.role, "team_role": made.team_role}
            action = "user.created"
            await record(session, actor, moment, action=action, subject=made.id, after=after)
            return user_document(await session.get_one(User, made.id))


def taken(fault: IntegrityError) -> Conflict | Invalid:
    """Say which name is somebody's already; the address only to who was invited at it."""
    if "users_username" in str(fault.orig):
        return Invalid.field("/username", "username_taken", "somebody has this name")
    return Conflict("this address has an account already", code="email_taken")


async def first_admin(
    session: AsyncSession, moment: Moment, *, email: str, invited_by: str, days: int
) -> str | None:
    """Write the invitation of the first admin, as gw_owner; return its token.

    None where there is an admin: from then on admins invite each other.
    """
    if await repository.has_admin(session):
        return None
    await repository.revoke_admin_invitations(session, moment.at)
    token = tokens.new_token(tokens.INVITATION, moment.randomness(tokens.RANDOM_BYTES))
    values = {
        "id": moment.id("ivt"),
        "token_hash": tokens.hashed(token),
        "email": email.lower(),
        "role": ADMIN,
        "mailed": False,
        "invited_by": invited_by,
        "created_at": moment.at,
        "expires_at": moment.at + timedelta(days=days),
    }
    await repository.add_invitation(session, values)
    actor = Actor(key_id=invited_by, merchant_id=None, scopes=frozenset(), livemode=False)
    await record(
        session,
        actor,
        moment,
        action="invitation.created",
        subject=str(values["id"]),
        after={"email": values["email"], "role": ADMIN},
    )
    return token


def _drawn(desk: Desk, email: str) -> tuple[str, dict[str, Any]]:
    """Return a new token, and what is stored of its invitation."""
    moment = desk.moment
    token = tokens.new_token(tokens.INVITATION, moment.randomness(tokens.RANDOM_BYTES))
    ends = moment.at + timedelta(days=desk.settings.invitation_days)
    return token, {
        "id": moment.id("ivt"),
        "token_hash": tokens.hashed(token),
        "email": email.lower(),
        "created_at": moment.at,
        "expires_at": ends,
    }


async def _sent(
    desk: Desk, merchant_id: str | None, invitation_id: str, token: str
) -> InvitationDocument:
    row = await repository.invitation_of(desk.session, merchant_id, invitation_id)
    await post(desk.session, _letter(row, token, desk.settings), desk.moment)
    after = {"email": row.email, "role": row.role, "team_role": row.team_role}
    await note(desk, "invitation.created", row, after)
    return invitation_document(row)


def _letter(row: Invitation, token: str, settings: PeopleSettings) -> Message:
    what = f"{row.team_role} of a merchant's team" if row.team_role else row.role.lower()
    body = (
        f"You are invited as {what}. Within {settings.invitation_days} days you can make your "
        f"account with this:\n\n{shown('invitation', token, settings.page_url)}\n\n"
        "If you expect nothing of the kind, do nothing.\n"
    )
    return Message(
        row.merchant_id, row.email, "person.invited", "You are invited", body, secret=True
    )
