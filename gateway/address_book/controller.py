"""The address book over HTTP, for keys that may change a merchant's settings."""

from litestar import Controller, Response, delete, get, patch, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.address_book import service
from gateway.address_book.documents import (
    AddressBookEntryDocument,
    WithdrawalSettingsDocument,
    entry_document,
)
from gateway.address_book.repository import entry_of, entry_page
from gateway.address_book.schemas import (
    ChangeEntry,
    ChangeWithdrawalSettings,
    CreateEntry,
    NetworkParameter,
)
from gateway.address_book.service import Book
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.paging import PageRequest
from gateway.settings import Settings


class AddressBookController(Controller):
    """Destinations of the merchant's own, each with a cool-down."""

    path = "/address_book"

    @post("/", guards=[requires("settings:write", step_up=True)])
    async def create(
        self, call: Call, settings: Settings, data: CreateEntry
    ) -> Response[AddressBookEntryDocument]:
        """Add a destination; it can be used when its cool-down is over."""

        async def work(session: AsyncSession) -> AddressBookEntryDocument:
            book = _book(call, session, settings)
            return await service.add_entry(book, data.network, data.address, data.label)

        return await call.once(work)

    @get("/", guards=[requires("withdrawals:read")])
    async def index(
        self, call: Call, page: PageRequest, network: NetworkParameter = None
    ) -> Page[AddressBookEntryDocument]:
        """List the standing entries, newest first."""
        actor, at = call.actor, call.moment.at
        async with call.transaction() as session:
            found = await entry_page(
                session, actor.tenant, page, livemode=actor.livemode, network=network
            )
        return page_of(found, page, lambda row: entry_document(row, at), lambda row: row.id)

    @get("/{entry_id:str}", guards=[requires("withdrawals:read")])
    async def show(self, call: Call, entry_id: str) -> AddressBookEntryDocument:
        """Show one entry, a deleted one too."""
        actor = call.actor
        async with call.transaction() as session:
            row = await entry_of(session, actor.tenant, entry_id, livemode=actor.livemode)
        return entry_document(row, call.moment.at)

    @patch("/{entry_id:str}", guards=[requires("settings:write", step_up=True)])
    async def change(
        self, call: Call, settings: Settings, entry_id: str, data: ChangeEntry
    ) -> AddressBookEntryDocument:
        """Give an entry another label."""
        async with call.transaction() as session:
            return await service.rename_entry(
                _book(call, session, settings), entry_id, data.label
            )

    @delete(
        "/{entry_id:str}", guards=[requires("settings:write", step_up=True)], status_code=200
    )
    async def remove(
        self, call: Call, settings: Settings, entry_id: str
    ) -> AddressBookEntryDocument:
        """Delete an entry at once."""
        async with call.transaction() as session:
            return await service.delete_entry(_book(call, session, settings), entry_id)


class WithdrawalSettingsController(Controller):
    """Whether money may leave to destinations outside the book."""

    path = "/withdrawal_settings"

    @get("/", guards=[requires("settings:read")])
    async def show(self, call: Call, settings: Settings) -> WithdrawalSettingsDocument:
        """Show the settings of this key's mode."""
        async with call.transaction() as session:
            return await service.show_settings(_book(call, session, settings))

    @patch("/", guards=[requires("settings:write", step_up=True)])
    async def change(
        self, call: Call, settings: Settings, data: ChangeWithdrawalSettings
    ) -> WithdrawalSettingsDocument:
        """Close the book at once, or open it after a cool-down."""
        async with call.transaction() as session:
            book = _book(call, session, settings)
            return await service.restrict(book, only=data.address_book_only)


def _book(call: Call, session: AsyncSession, settings: Settings) -> Book:
    return Book(session, call.actor, call.moment, settings.withdrawals.cooldown_hours)
