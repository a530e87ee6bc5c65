"""Invitations that are taken back: by hand, with who offered them, with whom they were for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.models import Invitation, User
from gateway.people import repository
from gateway.people.documents import InvitationDocument, invitation_document
from gateway.settings import PeopleSettings


@dataclass(frozen=True, slots=True)
class Desk:
    """What every use case needs: the transaction, who asks, the moment, the configuration."""

    session: AsyncSession
    actor: Actor
    moment: Moment
    settings: PeopleSettings


async def revoke_invitation(
    desk: Desk, merchant_id: str | None, invitation_id: str
) -> InvitationDocument:
    """Take an invitation back; one that was accepted stays what it is."""
    row = await repository.invitation_of(desk.session, merchant_id, invitation_id, lock=True)
    if row.accepted_at is not None:
        raise Conflict("this invitation was accepted", code="invitation_accepted")
    if row.revoked_at is None:
        await _revoked(desk, [row])
    return invitation_document(row)


async def take_back_offers(desk: Desk, user_id: str) -> None:
    """Revoke what somebody offered who may offer no more: nobody comes back by an own letter."""
    await _revoked(desk, await repository.open_invitations_by(desk.session, user_id))


async def take_back_places(desk: Desk, gone: User) -> None:
    """Revoke what still stands for somebody who was let go: an older letter is no way back."""
    await replace_letters(desk, gone.merchant_id, gone.email)


async def replace_letters(desk: Desk, merchant_id: str | None, email: str | None) -> None:
    """Revoke what stands for a mailbox, or with None for anybody: the next letter is the only one."""
    await _revoked(desk, await repository.open_invitations(desk.session, merchant_id, email))


async def note(
    desk: Desk,
    action: str,
    row: Invitation | User,
    after: Mapping[str, Any],
    *,
    before: Mapping[str, Any] | None = None,
) -> None:
    """Put a change of a person or an invitation on the record of its merchant."""
    await record(
        desk.session,
        desk.actor,
        desk.moment,
        action=action,
        subject=row.id,
        merchant_id=row.merchant_id,
        before=before,
        after=after,
    )


async def _revoked(desk: Desk, rows: Sequence[Invitation]) -> None:
    """End invitations, on the record of their merchant: an admin's tenant is another."""
    for row in rows:
        row.revoked_at = desk.moment.at
        await desk.session.flush()
        async with acting_for(desk.session, row.merchant_id or desk.actor.key_id):
            after = {"revoked_at": row.revoked_at.isoformat()}
            await note(desk, "invitation.revoked", row, after)
