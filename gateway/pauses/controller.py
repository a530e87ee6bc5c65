"""Pauses over HTTP, for operators."""

from litestar import Controller, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.paging import PageRequest
from gateway.pauses import service
from gateway.pauses.documents import PauseDocument, pause_document
from gateway.pauses.repository import pause_page
from gateway.pauses.schemas import CreatePause
from gateway.pauses.service import Case, Scope


class PauseController(Controller):
    """Payouts that are stopped for a while."""

    path = "/pauses"

    @post("/", guards=[requires("pauses:write", step_up=True)])
    async def create(self, call: Call, data: CreatePause) -> Response[PauseDocument]:
        """Stop payouts of a network, an asset, a merchant, or all of them; deposits go on."""
        scope = Scope(data.network, data.payment_method, data.merchant_id)

        async def work(session: AsyncSession) -> PauseDocument:
            return await service.pause(_case(call, session), scope, data.reason)

        return await call.once(work)

    @get("/", guards=[requires("pauses:read")])
    async def index(
        self, call: Call, page: PageRequest, *, active: bool | None = None
    ) -> Page[PauseDocument]:
        """List pauses, newest first; `active` narrows to those that stand, or that do not."""
        async with call.transaction() as session:
            found = await pause_page(session, page, active=active, livemode=call.actor.livemode)
        return page_of(found, page, pause_document, lambda row: row.id)

    @post(
        "/{pause_id:str}/lift", guards=[requires("pauses:write", step_up=True)], status_code=200
    )
    async def lift(self, call: Call, pause_id: str) -> Response[PauseDocument]:
        """Let what was paused be paid again."""

        async def work(session: AsyncSession) -> PauseDocument:
            return await service.lift(_case(call, session), pause_id)

        return await call.once(work, status=200)


def _case(call: Call, session: AsyncSession) -> Case:
    return Case(session, call.actor, call.moment)
