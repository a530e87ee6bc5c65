"""A merchant's own API keys over HTTP."""

import base64
from datetime import timedelta
from typing import Any

from litestar import Controller, Response, delete, get, patch, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.changes import change_key, roll_key
from gateway.accounts.documents import KeyDocument, shown_public_key
from gateway.accounts.makers import shown
from gateway.accounts.repository import key_of, key_page
from gateway.accounts.schemas import ChangeKey, CreateKey, RollKey
from gateway.accounts.service import KeyRequest, grant_key, revoke_key
from gateway.domain.actor import Actor
from gateway.domain.errors import Invalid
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.errors import absent
from gateway.http.paging import Page, page_of
from gateway.http.parts import given
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
        requests_per_minute=data.requests_per_minute,
        public_key=None if data.public_key is None else read_public_key(data.public_key),
    )


def read_public_key(text: str) -> bytes:
    """Read 32 bytes of base64, whose last digit has to be the canonical one."""
    raw = base64.b64decode(text)
    if shown_public_key(raw) != text:
        raise Invalid.field("/public_key", "invalid", "not 32 bytes in base64")
    return raw


def _changes(data: ChangeKey) -> dict[str, Any]:
    """Return the columns that the body sets."""
    changes = given(data)
    if changes.get("public_key") is not None:
        changes["public_key"] = read_public_key(changes["public_key"])
    if "scopes" in changes:
        changes["scopes"] = sorted(set(changes["scopes"]))
    return changes


class KeyController(Controller):
    """The calling merchant's keys of the calling key's mode."""

    path = "/api_keys"

    @post("/", guards=[requires("settings:write", step_up=True)])
    async def create(self, call: Call, pepper: str, data: CreateKey) -> Response[KeyDocument]:
        """Make a key; its secret is in this answer and nowhere else."""
        request = key_request(call.actor, data, call.actor.tenant)

        async def work(session: AsyncSession) -> KeyDocument:
            return await grant_key(session, call.actor, request, pepper, call.moment)

        return await call.once(work, own=True)

    @get("/", guards=[requires("settings:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[KeyDocument]:
        """List keys, revoked ones included."""
        actor = call.actor
        async with call.transaction() as session:
            found = await key_page(session, actor.tenant, page, livemode=actor.livemode)
            shaped = {each.id: each for each in await shown(session, found.rows)}
        return page_of(found, page, lambda row: shaped[row.id], lambda row: row.id)

    @get("/{key_id:str}", guards=[requires("settings:read")])
    async def show(self, call: Call, key_id: str) -> KeyDocument:
        """Show one key, a revoked one too."""
        actor = call.actor
        async with call.transaction() as session:
            row = await key_of(session, actor.tenant, key_id, livemode=actor.livemode)
            if row is None:
                raise absent("API key", key_id)
            [document] = await shown(session, [row])
        return document

    @patch("/{key_id:str}", guards=[requires("settings:write", step_up=True)])
    async def change(self, call: Call, key_id: str, data: ChangeKey) -> KeyDocument:
        """Rename a key, narrow what it may do, or set its public key."""
        changes = _changes(data)
        async with call.transaction() as session:
            return await change_key(session, call.actor, key_id, changes, call.moment)

    @post("/{key_id:str}/roll", guards=[requires("settings:write", step_up=True)])
    async def roll(
        self, call: Call, pepper: str, key_id: str, data: RollKey | None = None
    ) -> Response[KeyDocument]:
        """Give a key a new secret, shown only here; the old one ends after the overlap."""
        overlap = timedelta(seconds=(data or RollKey()).overlap_seconds)

        async def work(session: AsyncSession) -> KeyDocument:
            return await roll_key(
                session, call.actor, key_id, pepper, call.moment, overlap=overlap
            )

        return await call.once(work, own=True)

    @delete("/{key_id:str}", guards=[requires("settings:write", step_up=True)], status_code=200)
    async def revoke(self, call: Call, key_id: str) -> KeyDocument:
        """Revoke a key at once and for good."""
        async with call.transaction() as session:
            return await revoke_key(session, call.actor, key_id, call.moment)
