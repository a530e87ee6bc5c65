"""Merchants over HTTP: operators open and change any, a merchant sees and changes itself."""

from typing import Any

from litestar import Controller, Response, get, patch, post
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.controller import key_request
from gateway.accounts.documents import KeyDocument
from gateway.accounts.schemas import CreateKey
from gateway.accounts.service import grant_key
from gateway.db import acting_for
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.merchants.documents import MerchantDocument, merchant_document
from gateway.merchants.repository import merchant_of
from gateway.merchants.schemas import ChangeMerchant, CreateMerchant
from gateway.merchants.service import Profile, basis_points, change_merchant, open_merchant


def _changes(data: ChangeMerchant) -> dict[str, Any]:
    """Return the columns that the body sets."""
    changes = {
        name: getattr(data, name)
        for name in data.__struct_fields__
        if getattr(data, name) is not UNSET
    }
    if "payment_tolerance_percent" in changes:
        percent = changes.pop("payment_tolerance_percent")
        changes["tolerance_basis_points"] = basis_points(percent)
    return changes


class MerchantController(Controller):
    """For operators."""

    path = "/merchants"

    @post("/", guards=[requires("merchants:write")])
    async def create(self, call: Call, data: CreateMerchant) -> Response[MerchantDocument]:
        """Open a merchant's account."""
        profile = Profile(
            name=data.name,
            email=data.email,
            invoice_expiry_minutes=data.invoice_expiry_minutes,
            monitoring_days=data.monitoring_days,
            tolerance_basis_points=basis_points(data.payment_tolerance_percent),
        )

        async def work(session: AsyncSession) -> MerchantDocument:
            return await open_merchant(session, call.actor, profile, call.moment)

        return await call.once(work)

    @get("/{merchant_id:str}", guards=[requires("merchants:write")])
    async def show(self, call: Call, merchant_id: str) -> MerchantDocument:
        """Show one merchant."""
        async with call.transaction() as session, acting_for(session, merchant_id):
            return merchant_document(await merchant_of(session, merchant_id))

    @patch("/{merchant_id:str}", guards=[requires("merchants:write")])
    async def change(
        self, call: Call, merchant_id: str, data: ChangeMerchant
    ) -> MerchantDocument:
        """Change a merchant's profile or settings."""
        async with call.transaction() as session, acting_for(session, merchant_id):
            return await change_merchant(
                session, call.actor, merchant_id, _changes(data), call.moment
            )


class MerchantKeyController(Controller):
    """Keys that an operator makes for a merchant."""

    path = "/merchants/{merchant_id:str}/api_keys"

    @post("/", guards=[requires("merchants:write")])
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
            return merchant_document(await merchant_of(session, call.actor.tenant))

    @patch("/", guards=[requires("settings:write")])
    async def change(self, call: Call, data: ChangeMerchant) -> MerchantDocument:
        """Change the calling merchant's profile or settings."""
        actor = call.actor
        async with call.transaction() as session:
            return await change_merchant(
                session, actor, actor.tenant, _changes(data), call.moment
            )
