"""Packages over HTTP, for the merchant's keys."""

from litestar import Controller, Response, get, patch, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import given
from gateway.invoices.service import Desk
from gateway.paging import PageRequest
from gateway.settings import Settings
from gateway.subscriptions import service
from gateway.subscriptions.documents import PackageDocument, package_document
from gateway.subscriptions.repository import package_of, package_page
from gateway.subscriptions.schemas import ChangePackage, CreatePackage


class PackageController(Controller):
    """What customers may be members of."""

    path = "/packages"

    @post("/", guards=[requires("subscriptions:write")])
    async def create(
        self, call: Call, settings: Settings, data: CreatePackage
    ) -> Response[PackageDocument]:
        """Write a package down."""

        async def work(session: AsyncSession) -> PackageDocument:
            return await service.create_package(desk_of(call, session, settings), given(data))

        return await call.once(work)

    @get("/", guards=[requires("subscriptions:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[PackageDocument]:
        """List packages, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found = await package_page(session, actor.tenant, page, livemode=actor.livemode)
        return page_of(found, page, package_document, lambda row: row.id)

    @get("/{package_id:str}", guards=[requires("subscriptions:read")])
    async def show(self, call: Call, package_id: str) -> PackageDocument:
        """Show one package."""
        actor = call.actor
        async with call.transaction() as session:
            row = await package_of(session, actor.tenant, package_id, livemode=actor.livemode)
        return package_document(row)

    @patch("/{package_id:str}", guards=[requires("subscriptions:write")])
    async def change(
        self, call: Call, settings: Settings, package_id: str, data: ChangePackage
    ) -> PackageDocument:
        """Rename a package, or close it to new subscriptions."""
        async with call.transaction() as session:
            desk = desk_of(call, session, settings)
            return await service.change_package(desk, package_id, given(data))


def desk_of(call: Call, session: AsyncSession, settings: Settings) -> Desk:
    """Return what the use cases of this call need."""
    return Desk(session, call.actor, settings, call.moment)
