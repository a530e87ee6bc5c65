"""Merchants over HTTP: operators open and change any, a merchant sees and changes itself."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Response, get, patch, post
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.controller import key_request
from gateway.accounts.documents import KeyDocument
from gateway.accounts.schemas import CreateKey
from gateway.accounts.service import grant_key
from gateway.db import acting_for
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import given
from gateway.merchants.documents import MerchantDocument, merchant_document
from gateway.merchants.repository import Search, merchant_of, merchant_page
from gateway.merchants.schemas import ChangeMerchant, CreateMerchant
from gateway.merchants.service import Profile, basis_points, change_merchant, open_merchant
from gateway.paging import PageRequest

Words = Annotated[str | None, Parameter(query="query", max_length=100)]


def _columns(data: CreateMerchant | ChangeMerchant) -> dict[str, Any]:
    """Return the columns that the body sets."""
    columns = given(data)
    if "payment_tolerance_percent" in columns:
        percent = columns.pop("payment_tolerance_percent")
        columns["tolerance_basis_points"] = basis_points(percent)
    if "referral_code" in columns:
        columns["referred_by"] = columns.pop("referral_code")
    if "address" in columns:
        columns["address"] = msgspec.to_builtins(columns["address"])
    return columns


class MerchantController(Controller):
    """For operators."""

    path = "/merchants"

    @post("/", guards=[requires("merchants:write", step_up=True, shared=True)])
    async def create(self, call: Call, data: CreateMerchant) -> Response[MerchantDocument]:
        """Open a merchant's account."""
        profile = Profile(**_columns(data))

        async def work(session: AsyncSession) -> MerchantDocument:
            return await open_merchant(session, call.actor, profile, call.moment)

        return await call.once(work)

    @get("/", guards=[requires("merchants:write")])
    async def index(
        self,
        call: Call,
        page: PageRequest,
        *,
        words: Words = None,
        status: Literal["active", "suspended"] | None = None,
        verification: Literal["unverified", "pending", "verified", "rejected"] | None = None,
        deleted: bool = False,
    ) -> Page[MerchantDocument]:
        """List merchants, newest first; `query` looks into names, e-mail addresses and ids."""
        wanted = Search(words, status, verification, deleted)
        async with call.transaction() as session:
            found = await merchant_page(session, wanted, page)
        return page_of(
            found,
            page,
            lambda row: merchant_document(row, for_operator=True),
            lambda row: row.id,
        )

    @get("/{merchant_id:str}", guards=[requires("merchants:write")])
    async def show(self, call: Call, merchant_id: str) -> MerchantDocument:
        """Show one merchant, one whose account has ended too."""
        async with call.transaction() as session:
            row = await merchant_of(session, merchant_id, deleted=True)
        return merchant_document(row, for_operator=True)

    @patch(
        "/{merchant_id:str}", guards=[requires("merchants:write", step_up=True, shared=True)]
    )
    async def change(
        self, call: Call, merchant_id: str, data: ChangeMerchant
    ) -> MerchantDocument:
        """Change a merchant's profile."""
        changes = _columns(data)
        async with call.transaction() as session:
            return await change_merchant(session, call.actor, merchant_id, changes, call.moment)


class MerchantKeyController(Controller):
    """Keys that an operator makes for a merchant."""

    path = "/merchants/{merchant_id:str}/api_keys"

    @post("/", guards=[requires("merchants:write", step_up=True)])
    async def create(
        self, call: Call, pepper: str, merchant_id: str, data: CreateKey
    ) -> Response[KeyDocument]:
        """Make a key with any of the merchants' scopes; its secret is shown only here."""
        request = key_request(call.actor, data, merchant_id)

        async def work(session: AsyncSession) -> KeyDocument:
            async with acting_for(session, merchant_id):
                await merchant_of(session, merchant_id)
                return await grant_key(session, call.actor, request, pepper, call.moment)

        return await call.once(work)


class OwnMerchantController(Controller):
    """For the merchant itself."""

    path = "/merchant"

    @get("/", guards=[requires("settings:read")])
    async def show(self, call: Call) -> MerchantDocument:
        """Show the calling merchant."""
        async with call.transaction() as session:
            row = await merchant_of(session, call.actor.tenant)
        return merchant_document(row, for_operator=False)

    @patch("/", guards=[requires("settings:write", step_up=True, shared=True)])
    async def change(self, call: Call, data: ChangeMerchant) -> MerchantDocument:
        """Change the calling merchant's profile or settings."""
        actor, changes = call.actor, _columns(data)
        async with call.transaction() as session:
            return await change_merchant(session, actor, actor.tenant, changes, call.moment)
