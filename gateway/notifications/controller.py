"""What people were told, and where SMS and chat go, over HTTP."""

from litestar import Controller, Response, delete, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of, whole
from gateway.notifications import service
from gateway.notifications.documents import (
    NotificationDocument,
    TargetDocument,
    notification_document,
    target_document,
)
from gateway.notifications.repository import message_page, target_of, targets_of
from gateway.notifications.schemas import CreateTarget, KindParameter, Status
from gateway.paging import PageRequest


class NotificationController(Controller):
    """Messages to the merchant's people."""

    path = "/notifications"

    @get("/", guards=[requires("settings:read")])
    async def index(
        self,
        call: Call,
        page: PageRequest,
        kind: KindParameter = None,
        status: Status | None = None,
    ) -> Page[NotificationDocument]:
        """List messages, newest first, with what became of them.

        Letters about people's own accounts are for those who may see the team.
        """
        named = {"kind": kind, "status": status}
        wanted = {name: value for name, value in named.items() if value is not None}
        actor = call.actor
        async with call.transaction() as session:
            found = await message_page(
                session,
                actor.tenant,
                page,
                wanted,
                livemode=actor.livemode,
                letters="team:read" in actor.scopes,
            )
            return page_of(found, page, notification_document, lambda row: row.id)


class NotificationTargetController(Controller):
    """Where the merchant's SMS and chat messages go."""

    path = "/notification_targets"

    @post("/", guards=[requires("settings:write", step_up=True, shared=True)])
    async def create(self, call: Call, data: CreateTarget) -> Response[TargetDocument]:
        """Add a target; its address is shown to nobody again."""

        async def work(session: AsyncSession) -> TargetDocument:
            return await service.add_target(
                session, call.actor, call.moment, data.name, data.address
            )

        return await call.once(work)

    @get("/", guards=[requires("settings:read")])
    async def index(self, call: Call) -> Page[TargetDocument]:
        """List all targets, newest first."""
        async with call.transaction() as session:
            found = await targets_of(session, call.actor.tenant)
        return whole([target_document(row) for row in found])

    @get("/{target_id:str}", guards=[requires("settings:read")])
    async def show(self, call: Call, target_id: str) -> TargetDocument:
        """Show one target."""
        async with call.transaction() as session:
            return target_document(await target_of(session, call.actor.tenant, target_id))

    @delete("/{target_id:str}", guards=[requires("settings:write", step_up=True, shared=True)])
    async def remove(self, call: Call, target_id: str) -> None:
        """Remove a target."""
        async with call.transaction() as session:
            await service.remove_target(session, call.actor, call.moment, target_id)

    @post(
        "/{target_id:str}/test",
        guards=[requires("settings:write", step_up=True, shared=True)],
        status_code=202,
    )
    async def test(self, call: Call, target_id: str) -> Response[TargetDocument]:
        """Send a message to this target, through the same queue as every other."""

        async def work(session: AsyncSession) -> TargetDocument:
            return await service.send_test(session, call.actor, call.moment, target_id)

        return await call.once(work, status=202)
