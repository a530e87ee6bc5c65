"""What a handler gets of an authenticated request: who, when, and a transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from litestar import MediaType, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import Database
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.http.idempotency import (
    A_DAY,
    Claim,
    Kept,
    Seal,
    checked_key,
    claimed,
    fingerprint,
    keep,
    needs_key,
)
from gateway.http.wiring import parts_of
from gateway.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of one actor at one moment."""

    actor: Actor
    moment: Moment
    database: Database
    seal: Seal
    method: str
    path: str
    body: bytes
    idempotency_key: str | None
    settings: Settings
    key_required: bool = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open the unit of work of this request; it commits when the block ends.

        An operator's key has no tenant: its own id stands there, which no merchant's row has.
        """
        async with self.database.unit_of_work(self._tenant) as session:
            yield session

    async def once(
        self,
        work: Callable[[AsyncSession], Awaitable[T]],
        *,
        ahead: Callable[[AsyncSession], Awaitable[None]] | None = None,
        status: int = 201,
        own: bool = False,
        lifetime: timedelta = A_DAY,
    ) -> Response[T]:
        """Do `work` in a transaction, once per `Idempotency-Key`, and answer what it returns.

        A refusal rolls everything back and is not kept: the key may be used again. With `own` the
        answer is for this actor alone, such as a secret: a colleague's same key is another key.
        What `ahead` sends later saves `work` a round trip: it goes with the key, and is undone
        where there is an answer already.
        """
        key = checked_key(self.idempotency_key, required=self.key_required)
        async with self.transaction() as session:
            if ahead is not None:
                await ahead(session)
            claim = self._claim(key, own=own) if key is not None else None
            if claim and (kept := await claimed(session, claim, self.seal, self.moment.at)):
                if ahead is not None:
                    await session.rollback()
                return answer(kept, replayed=True)
            given = Kept(status, msgspec.json.encode(await work(session)))
            if claim:
                await keep(
                    session, claim, given, seal=self.seal, moment=self.moment, lifetime=lifetime
                )
        return answer(given, replayed=False)

    @property
    def _tenant(self) -> str:
        return self.actor.merchant_id or self.actor.key_id

    def _claim(self, key: str, *, own: bool) -> Claim:
        mode = "live" if self.actor.livemode else "test"
        whose = f" {self.actor.key_id}" if own else ""
        return Claim(
            self._tenant,
            f"{mode} {self.method} {self.path}{whose}",
            key,
            fingerprint(self.method, self.path, self.body),
        )


def answer(kept: Kept, *, replayed: bool) -> Response[Any]:
    """Send an encoded document as it is."""
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return Response(
        kept.body, status_code=kept.status, media_type=MediaType.JSON, headers=headers
    )


async def provide_call(request: Request[Any, Any, Any]) -> Call:
    """Gather the call of a guarded route.

    A body is read whichever route it comes to, so that it can be too large; where the route takes
    none it means nothing, and may be no JSON.
    """
    parts = parts_of(request)
    body = await request.body()
    takes_one = request.route_handler.parsed_data_field is not None
    return Call(
        actor=request.user,
        moment=parts.clock(),
        database=parts.database,
        seal=parts.seal,
        method=request.method,
        path=request.url.path,
        body=body if takes_one else b"",
        idempotency_key=request.headers.get("Idempotency-Key"),
        settings=parts.settings,
        key_required=needs_key(request.route_handler.opt),
    )
