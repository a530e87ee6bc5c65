"""Changes to people: roles, suspension, farewell, one's own profile."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError

from gateway.accounts.makers import maker_changed, rights_of
from gateway.domain.errors import Conflict, Forbidden
from gateway.models import User
from gateway.notifications import post
from gateway.people import repository
from gateway.people.documents import UserDocument, user_document
from gateway.people.invitations import taken
from gateway.people.offers import Desk, note, take_back_offers, take_back_places
from gateway.sessions.letters import account_letter
from gateway.sessions.repository import revoke_all

_SENTENCES = {
    "active": "Your account is in force again.",
    "suspended": "Your account was suspended: nobody is signed in to it any more.",
}


async def change_member(
    desk: Desk,
    merchant_id: str,
    user_id: str,
    changes: Mapping[str, Any],
    *,
    revoke_keys: bool,
) -> UserDocument:
    """Change team role or status; nobody their own, so that an owner always remains.

    The owners' row locks put changes in an order: two owners cannot remove each other at once.
    """
    row = await _others_member(desk, merchant_id, user_id)
    before = rights_of(row)
    document = await _changed(desk, row, changes)
    if revoke_keys or before - rights_of(row):
        await maker_changed(desk.session, desk.actor, row, desk.moment, revoke=revoke_keys)
    return document


async def remove_member(
    desk: Desk, merchant_id: str, user_id: str, *, revoke_keys: bool
) -> UserDocument:
    """Let somebody go: the row stays, nothing is open to it, its e-mail address is free."""
    row = await _others_member(desk, merchant_id, user_id)
    document = await _removed(desk, row)
    await maker_changed(desk.session, desk.actor, row, desk.moment, revoke=revoke_keys)
    return document


async def change_operator(
    desk: Desk, user_id: str, *, role: str | None, status: str | None
) -> UserDocument:
    """Change what one of the operator's own is, or suspend; an admin never themselves."""
    row = await _other_operator(desk, user_id)
    if role is not None and role != row.role:
        at, digest = desk.moment.at, desk.actor.session.token_hash
        if not await repository.set_operator_role(desk.session, digest, user_id, role, at):
            raise Forbidden("only an admin changes this")
        await take_back_offers(desk, user_id)
        before, after = {"role": row.role}, {"role": role}
        await note(desk, "user.role_changed", row, after, before=before)
        await _tell(desk, row, after)
        await desk.session.refresh(row)
    return await _changed(desk, row, {} if status is None else {"status": status})


async def remove_operator(desk: Desk, user_id: str) -> UserDocument:
    """Let one of the operator's own go."""
    return await _removed(desk, await _other_operator(desk, user_id))


async def change_profile(desk: Desk, changes: Mapping[str, Any]) -> UserDocument:
    """Change one's own user name or telephone number."""
    actor = desk.actor
    row = await repository.member(desk.session, actor.merchant_id, actor.key_id, lock=True)
    try:
        return await _changed(desk, row, changes)
    except IntegrityError as fault:
        raise taken(fault) from fault


async def _others_member(desk: Desk, merchant_id: str, user_id: str) -> User:
    actor = desk.actor
    owners = await repository.locked_owners(desk.session, merchant_id)
    if actor.merchant_id is not None and actor.key_id not in owners:
        raise Forbidden("only an owner changes the team")
    row = await repository.member(desk.session, merchant_id, user_id, lock=True)
    _require_other(desk, user_id)
    return row


async def _other_operator(desk: Desk, user_id: str) -> User:
    if desk.actor.key_id not in await repository.locked_admins(desk.session):
        raise Forbidden("only an admin changes this")
    row = await repository.member(desk.session, None, user_id, lock=True)
    _require_other(desk, user_id)
    return row


def _require_other(desk: Desk, user_id: str) -> None:
    if user_id == desk.actor.key_id:
        raise Conflict("nobody does this to their own account", code="own_account")


async def _changed(desk: Desk, row: User, changes: Mapping[str, Any]) -> UserDocument:
    """Set what differs. Who is suspended is signed out; another role counts from the next request."""
    after = {name: value for name, value in changes.items() if getattr(row, name) != value}
    before = {name: getattr(row, name) for name in after}
    if after:
        for name, value in after.items():
            setattr(row, name, value)
        await desk.session.flush()
        if after.get("status") == "suspended":
            await revoke_all(desk.session, row.id, desk.moment.at)
        if after.get("status") == "suspended" or "team_role" in after:
            await take_back_offers(desk, row.id)
        action = "user.role_changed" if "team_role" in after else "user.changed"
        await note(desk, action, row, after, before=before)
        await _tell(desk, row, after)
    return user_document(row)


async def _removed(desk: Desk, row: User) -> UserDocument:
    row.deleted_at = desk.moment.at
    await desk.session.flush()
    await revoke_all(desk.session, row.id, desk.moment.at)
    await take_back_offers(desk, row.id)
    await take_back_places(desk, row)
    after = {"deleted_at": row.deleted_at.isoformat()}
    await note(desk, "user.deleted", row, after, before={"deleted_at": None})
    await _tell(desk, row, after)
    return user_document(row)


async def _tell(desk: Desk, row: User, after: Mapping[str, Any]) -> None:
    """Write to the person what others changed of the account: nobody is put out in silence."""
    sentences = [_SENTENCES[after["status"]]] if "status" in after else []
    if role := after.get("team_role") or after.get("role"):
        sentences.append(f"Your role is another one now: {role}.")
    if "deleted_at" in after:
        sentences.append("Your account was removed: nothing is open to it any more.")
    if sentences:
        letter = account_letter(row.email, row.merchant_id, " ".join(sentences))
        await post(desk.session, letter, desk.moment)
