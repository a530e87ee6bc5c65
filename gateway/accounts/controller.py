"""A merchant's own API keys over HTTP."""

from litestar import Controller, Response, delete, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.documents import KeyDocument, key_document
from gateway.accounts.repository import key_page
from gateway.accounts.schemas import CreateKey
from gateway.accounts.service import KeyRequest, grant_key, revoke_key
from gateway.domain.actor import Actor
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.paging import PageRequest


def key_request(actor: Actor, data: CreateKey, merchant_id: str) -> KeyRequest:
    """Read the body; without `livemode` the new key has the mode of the calling one."""
    return KeyRequest(
        name=data.name,
        scopes=data.scopes,
        livemode=actor.livemode if data.livemode is None else data.livemode,
        merchant_id=merchant_id,
        allowed_ips=data.allowed_ips,
        expires_at=data.expires_at,
    )


class KeyController(Controller):
    """The calling merchant's keys of the calling key's mode."""

    path = "/api_keys"

    @post("/", guards=[requires("settings:write")])
    async def create(self, call: Call, pepper: str, data: CreateKey) -> Response[KeyDocument]:
        """Make a key; its secret is in this answer and nowhere else."""
        request = key_request(call.actor, data, call.actor.tenant)

        async def work(session: AsyncSession) -> KeyDocument:
            return await grant_key(session, call.actor, request, pepper, call.moment)

        return await call.once(work)

    @get("/", guards=[requires("settings:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[KeyDocument]:
        """List keys, revoked ones included."""
        actor = call.actor
        async with call.transaction() as session:
            found = await key_page(session, actor.tenant, page, livemode=actor.livemode)
            return page_of(found, page, key_document, lambda row: row.id)

    @delete("/{key_id:str}", guards=[requires("settings:write")], status_code=200)
    async def revoke(self, call: Call, key_id: str) -> KeyDocument:
        """Revoke a key at once and for good."""
        async with call.transaction() as session:
            return await revoke_key(session, call.actor, key_id, call.moment)
