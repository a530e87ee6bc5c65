"""The audit log over HTTP: a merchant reads its own, operators anybody's, admins the house's."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Any

from litestar import Controller, get
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.documents import AuditEntryDocument, entry_document
from gateway.audit.repository import Entry, entry_page, own_people, require_merchant
from gateway.db import acting_for
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import in_utc
from gateway.paging import PageRequest, Slice

Word = Annotated[str | None, Parameter(max_length=100)]


async def provide_filter(
    *,
    actor: Word = None,
    action: Word = None,
    subject: Word = None,
    created_from: Annotated[datetime | None, Parameter(query="created[gte]")] = None,
    created_before: Annotated[datetime | None, Parameter(query="created[lt]")] = None,
) -> dict[str, Any]:
    """Read the filters; a time without an offset is UTC."""
    given = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "created_from": in_utc(created_from),
        "created_before": in_utc(created_before),
    }
    return {name: value for name, value in given.items() if value is not None}


class AuditController(Controller):
    """For merchants; it tells of both modes, so a test key does not read it."""

    path = "/audit_log"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires("audit:read", shared=True)])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[AuditEntryDocument]:
        """List changes of the merchant's account, newest first, with both sides.

        `address` is null where somebody of the house acted.
        """
        async with call.transaction() as session:
            found = await entry_page(session, call.actor.tenant, page, wanted)
            actors = {row.actor for row, _ in found.rows}
            own = await own_people(session, call.actor.tenant, actors)
            return _shaped(found, page, own)


class MerchantAuditController(Controller):
    """For operators; of both modes as well."""

    path = "/merchants/{merchant_id:str}/audit_log"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - as above

    @get("/", guards=[requires("merchants:write", shared=True)])
    async def index(
        self, call: Call, merchant_id: str, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[AuditEntryDocument]:
        """List changes of a merchant's account, whoever made them."""
        async with call.transaction() as session, acting_for(session, merchant_id):
            await require_merchant(session, merchant_id)
            return await _page(session, merchant_id, page, wanted)


class HouseAuditController(Controller):
    """For admins."""

    path = "/house/audit_log"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - as above

    @get("/", guards=[requires("people:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[AuditEntryDocument]:
        """List what was changed in no merchant's account: people, approvals, pauses, rates."""
        async with call.transaction() as session:
            return await _page(session, None, page, wanted)


async def _page(
    session: AsyncSession, merchant_id: str | None, page: PageRequest, wanted: dict[str, Any]
) -> Page[AuditEntryDocument]:
    return _shaped(await entry_page(session, merchant_id, page, wanted), page)


def _shaped(
    found: Slice[Entry], page: PageRequest, own: AbstractSet[str] | None = None
) -> Page[AuditEntryDocument]:
    return page_of(
        found,
        page,
        lambda entry: entry_document(*entry, own=own),
        lambda entry: entry_document(*entry).id,
    )
