"""People over HTTP: a merchant's team, for its owners; a merchant's users, for operators."""

from typing import Annotated

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import acting_for
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import given
from gateway.merchants.repository import merchant_of
from gateway.paging import PageRequest
from gateway.people import repository, service
from gateway.people.documents import (
    InvitationDocument,
    UserDocument,
    invitation_document,
    user_document,
)
from gateway.people.invitations import invite_by_house, invite_to_team
from gateway.people.offers import Desk, revoke_invitation
from gateway.people.schemas import ChangeTeamMember, InviteToTeam
from gateway.settings import Settings

UserId = Annotated[str, Parameter(max_length=64)]
RevokeKeys = Annotated[
    bool,
    Parameter(description="End the API keys that this person made as well, of both modes."),
]


def desk_of(call: Call, session: AsyncSession, settings: Settings) -> Desk:
    """Gather what the use cases need."""
    return Desk(session, call.actor, call.moment, settings.people)


class TeamController(Controller):
    """The people of the calling person's merchant. Keys have no part in it."""

    path = "/team"

    @get("/", guards=[requires("team:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[UserDocument]:
        """List the team, newest first."""
        async with call.transaction() as session:
            found = await repository.people_page(session, call.actor.tenant, page)
        return page_of(found, page, user_document, lambda row: row.id)

    @get("/{user_id:str}", guards=[requires("team:read")])
    async def show(self, call: Call, user_id: UserId) -> UserDocument:
        """Show one member of the team."""
        async with call.transaction() as session:
            return user_document(await repository.member(session, call.actor.tenant, user_id))

    @patch("/{user_id:str}", guards=[requires("team:write", step_up=True)])
    async def change(
        self,
        call: Call,
        settings: Settings,
        user_id: UserId,
        data: ChangeTeamMember,
        *,
        revoke_keys: RevokeKeys = False,
    ) -> UserDocument:
        """Change another member's team role, or suspend."""
        async with call.transaction() as session:
            desk = desk_of(call, session, settings)
            tenant = call.actor.tenant
            changes = given(data)
            return await service.change_member(
                desk, tenant, user_id, changes, revoke_keys=revoke_keys
            )

    @delete("/{user_id:str}", guards=[requires("team:write", step_up=True)], status_code=200)
    async def remove(
        self,
        call: Call,
        settings: Settings,
        user_id: UserId,
        *,
        revoke_keys: RevokeKeys = False,
    ) -> UserDocument:
        """Let another member go; the e-mail address is free again."""
        async with call.transaction() as session:
            desk = desk_of(call, session, settings)
            tenant = call.actor.tenant
            return await service.remove_member(desk, tenant, user_id, revoke_keys=revoke_keys)

    @post("/invitations", guards=[requires("team:write", step_up=True)])
    async def invite(
        self, call: Call, settings: Settings, data: InviteToTeam
    ) -> Response[InvitationDocument]:
        """Invite somebody to the team, by e-mail."""

        async def work(session: AsyncSession) -> InvitationDocument:
            desk = desk_of(call, session, settings)
            return await invite_to_team(desk, call.actor.tenant, data.email, data.team_role)

        return await call.once(work)

    @get("/invitations", guards=[requires("team:read")])
    async def invitations(self, call: Call, page: PageRequest) -> Page[InvitationDocument]:
        """List invitations, newest first."""
        async with call.transaction() as session:
            found = await repository.invitation_page(session, call.actor.tenant, page)
        return page_of(found, page, invitation_document, lambda row: row.id)

    @delete(
        "/invitations/{invitation_id:str}",
        guards=[requires("team:write", step_up=True)],
        status_code=200,
    )
    async def revoke(
        self, call: Call, settings: Settings, invitation_id: UserId
    ) -> InvitationDocument:
        """Take an invitation back."""
        async with call.transaction() as session:
            desk = desk_of(call, session, settings)
            return await revoke_invitation(desk, call.actor.tenant, invitation_id)


class MerchantUserController(Controller):
    """A merchant's people, for operators."""

    path = "/merchants/{merchant_id:str}"

    @get("/users", guards=[requires("merchants:write")])
    async def index(
        self, call: Call, merchant_id: UserId, page: PageRequest
    ) -> Page[UserDocument]:
        """List a merchant's people, newest first."""
        async with call.transaction() as session, acting_for(session, merchant_id):
            await merchant_of(session, merchant_id)
            found = await repository.people_page(session, merchant_id, page)
        return page_of(found, page, user_document, lambda row: row.id)

    @patch(
        "/users/{user_id:str}", guards=[requires("merchants:write", step_up=True, shared=True)]
    )
    async def change(
        self,
        call: Call,
        settings: Settings,
        merchant_id: UserId,
        user_id: UserId,
        data: ChangeTeamMember,
        *,
        revoke_keys: RevokeKeys = False,
    ) -> UserDocument:
        """Change a member's team role, or suspend."""
        async with call.transaction() as session, acting_for(session, merchant_id):
            desk = desk_of(call, session, settings)
            changes = given(data)
            return await service.change_member(
                desk, merchant_id, user_id, changes, revoke_keys=revoke_keys
            )

    @delete(
        "/users/{user_id:str}",
        guards=[requires("merchants:write", step_up=True, shared=True)],
        status_code=200,
    )
    async def remove(
        self,
        call: Call,
        settings: Settings,
        merchant_id: UserId,
        user_id: UserId,
        *,
        revoke_keys: RevokeKeys = False,
    ) -> UserDocument:
        """Let a member go."""
        async with call.transaction() as session, acting_for(session, merchant_id):
            desk = desk_of(call, session, settings)
            return await service.remove_member(
                desk, merchant_id, user_id, revoke_keys=revoke_keys
            )

    @post("/invitations", guards=[requires("merchants:write", step_up=True, shared=True)])
    async def invite(
        self, call: Call, settings: Settings, merchant_id: UserId, data: InviteToTeam
    ) -> Response[InvitationDocument]:
        """Invite the first one to a merchant's team; from then on its owners invite."""

        async def work(session: AsyncSession) -> InvitationDocument:
            async with acting_for(session, merchant_id):
                desk = desk_of(call, session, settings)
                return await invite_by_house(desk, merchant_id, data.email, data.team_role)

        return await call.once(work)
