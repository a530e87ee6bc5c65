"""The operator's own people, for admins."""

from litestar import Controller, Response, delete, get, patch, post
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.paging import PageRequest
from gateway.people import repository, service
from gateway.people.controller import UserId, desk_of
from gateway.people.documents import (
    InvitationDocument,
    UserDocument,
    invitation_document,
    user_document,
)
from gateway.people.invitations import invite_to_house
from gateway.people.offers import revoke_invitation
from gateway.people.schemas import ChangeOperator, InviteToHouse
from gateway.settings import Settings


class OperatorController(Controller):
    """People without a merchant: admins and operators. Keys have no part in it."""

    path = "/operators"

    @get("/", guards=[requires("people:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[UserDocument]:
        """List the operator's own people, newest first."""
        async with call.transaction() as session:
            found = await repository.people_page(session, None, page)
        return page_of(found, page, user_document, lambda row: row.id)

    @patch("/{user_id:str}", guards=[requires("people:write", step_up=True)])
    async def change(
        self, call: Call, settings: Settings, user_id: UserId, data: ChangeOperator
    ) -> UserDocument:
        """Make somebody admin or operator, or suspend; never oneself."""
        async with call.transaction() as session:
            return await service.change_operator(
                desk_of(call, session, settings),
                user_id,
                role=None if data.role is UNSET else data.role,
                status=None if data.status is UNSET else data.status,
            )

    @delete("/{user_id:str}", guards=[requires("people:write", step_up=True)], status_code=200)
    async def remove(self, call: Call, settings: Settings, user_id: UserId) -> UserDocument:
        """Let somebody go; the e-mail address is free again."""
        async with call.transaction() as session:
            return await service.remove_operator(desk_of(call, session, settings), user_id)

    @post("/invitations", guards=[requires("people:write", step_up=True)])
    async def invite(
        self, call: Call, settings: Settings, data: InviteToHouse
    ) -> Response[InvitationDocument]:
        """Invite an admin or an operator, by e-mail."""

        async def work(session: AsyncSession) -> InvitationDocument:
            return await invite_to_house(
                desk_of(call, session, settings), data.email, data.role
            )

        return await call.once(work)

    @get("/invitations", guards=[requires("people:read")])
    async def invitations(self, call: Call, page: PageRequest) -> Page[InvitationDocument]:
        """List invitations, newest first."""
        async with call.transaction() as session:
            found = await repository.invitation_page(session, None, page)
        return page_of(found, page, invitation_document, lambda row: row.id)

    @delete(
        "/invitations/{invitation_id:str}",
        guards=[requires("people:write", step_up=True)],
        status_code=200,
    )
    async def revoke(
        self, call: Call, settings: Settings, invitation_id: UserId
    ) -> InvitationDocument:
        """Take an invitation back."""
        async with call.transaction() as session:
            return await revoke_invitation(
                desk_of(call, session, settings), None, invitation_id
            )
