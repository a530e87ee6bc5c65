"""Signing in and out over HTTP, and a person's own sessions."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import Database
from gateway.domain.moment import Moment
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.cookies import require_own_origin, session_cookie
from gateway.http.errors import REQUEST_ID
from gateway.http.paging import Page, whole
from gateway.sessions import service
from gateway.sessions.documents import EndedDocument, SessionDocument, session_document
from gateway.sessions.passwords import Passwords
from gateway.sessions.repository import sessions_of
from gateway.sessions.schemas import SignIn, SwitchMode
from gateway.sessions.service import Door, Visitor
from gateway.settings import Settings

SessionId = Annotated[str, Parameter(max_length=64)]


async def provide_door(
    request: Request[Any, Any, Any],
    settings: Settings,
    database: Database,
    passwords: Passwords,
    moment: Moment,
) -> Door:
    """Gather what a request of somebody unknown brings."""
    visitor = Visitor(
        address=request.client.host if request.client else None,
        user_agent=request.headers.get("User-Agent"),
        endpoint=f"{request.method} {request.url.path}",
        request_id=cast("Mapping[str, Any]", request.scope)[REQUEST_ID],
    )
    return Door(database, passwords, settings.people, moment, visitor)


class SessionController(Controller):
    """People signed in."""

    path = "/sessions"
    dependencies = {"door": provide_door}  # noqa: RUF012 - Litestar reads it from the class

    @post("/", opt={"refusals": (401, 403, 429)})
    async def create(
        self, request: Request[Any, Any, Any], door: Door, data: SignIn
    ) -> Response[SessionDocument]:
        """Sign in with e-mail address and password.

        The answer is the same whether the account is unknown, suspended or the password wrong.
        """
        if data.cookie:
            require_own_origin(request)
        document = await service.sign_in(
            door, data.email, data.password, livemode=data.livemode
        )
        return token_answer(document, door.settings.session_hours, cookie=data.cookie)

    @get("/", guards=[requires()])
    async def index(self, call: Call, door: Door) -> Page[SessionDocument]:
        """List one's own sessions that are in force, newest first."""
        own = call.actor.session.id
        async with call.transaction() as session:
            found = await sessions_of(session, call.actor.key_id, call.moment.at, door.idle)
        return whole([session_document(row, current=row.id == own) for row in found])

    @post("/revoke_others", guards=[requires()], status_code=200)
    async def revoke_others(self, call: Call) -> Response[EndedDocument]:
        """End all of one's own sessions but this one."""

        async def work(session: AsyncSession) -> EndedDocument:
            ended = await service.revoke_others(session, call.actor, call.moment)
            return EndedDocument(object="ended_sessions", ended=ended)

        return await call.once(work, status=200, own=True)

    @patch("/current", guards=[requires()])
    async def switch(self, call: Call, data: SwitchMode) -> SessionDocument:
        """Choose between test networks and real ones for this session."""
        async with call.transaction() as session:
            return await service.switch_mode(
                session, call.actor, call.moment, livemode=data.livemode
            )

    @delete("/current", guards=[requires(unfinished=True)], status_code=200)
    async def sign_out(self, call: Call) -> Response[SessionDocument]:
        """Sign out."""
        async with call.transaction() as session:
            document = await service.sign_out(session, call.actor, call.moment)
        return Response(document, cookies=[session_cookie("", seconds=0)])

    @delete("/{session_id:str}", guards=[requires()], status_code=200)
    async def revoke(self, call: Call, session_id: SessionId) -> SessionDocument:
        """End one of one's own sessions."""
        async with call.transaction() as session:
            return await service.revoke(session, call.actor, session_id, call.moment)


def token_answer(
    document: SessionDocument, hours: int, *, cookie: bool
) -> Response[SessionDocument]:
    """Answer with a session whose token is new: in the document, or as cookie."""
    if not cookie or document.token is None:
        return Response(document)
    held = session_cookie(document.token, seconds=hours * 3600)
    return Response(msgspec.structs.replace(document, token=None), cookies=[held])
