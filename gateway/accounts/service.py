"""Making and revoking API keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts import keys
from gateway.accounts.documents import KeyDocument, key_document
from gateway.accounts.limits import check_end, check_networks, require_narrowing
from gateway.accounts.repository import behind, key_of
from gateway.accounts.standing import made_with, standing_count
from gateway.audit.service import record
from gateway.domain.actor import MERCHANT_SCOPES, OPERATOR_SCOPES, Actor
from gateway.domain.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.domain.moment import Moment
from gateway.models import ApiKey

KEYS_MAX = 200
"""Of one merchant and mode: each has a budget of requests of its own."""


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a new key shall be; `merchant_id` is None for an operator's key."""

    name: str
    scopes: Sequence[str]
    livemode: bool
    merchant_id: str | None
    allowed_ips: Sequence[str] = field(default_factory=list)
    expires_at: datetime | None = None
    requests_per_minute: int | None = None
    public_key: bytes | None = None


async def create_key(
    session: AsyncSession,
    request: KeyRequest,
    pepper: str,
    moment: Moment,
    *,
    maker: str | None = None,
    made_with: str | None = None,
) -> KeyDocument:
    """Write a checked key and return it with its secret; the caller decides who may ask.

    `maker` is the person or the first key behind it, None where the house makes it at the machine;
    `made_with` is the key that asks, None where a person does.
    """
    _check_scopes(request)
    check_networks(request.allowed_ips)
    if request.expires_at is not None:
        check_end(request.expires_at, moment.at)
    secret = keys.new_key(moment.randomness(keys.RANDOM_BYTES), livemode=request.livemode)
    row = ApiKey(
        id=moment.id("key"),
        merchant_id=request.merchant_id,
        name=request.name,
        prefix=keys.shown(secret),
        key_hash=keys.hashed(pepper, secret),
        scopes=sorted(set(request.scopes)),
        livemode=request.livemode,
        allowed_ips=list(request.allowed_ips),
        requests_per_minute=request.requests_per_minute,
        public_key=request.public_key,
        created_by=maker,
        made_with=made_with,
        created_at=moment.at,
        expires_at=request.expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    session.add(row)
    try:
        await session.flush()
    except IntegrityError as fault:
        raise _refusal(fault) from fault
    return key_document(row, secret=secret)


async def grant_key(
    session: AsyncSession, actor: Actor, request: KeyRequest, pepper: str, moment: Moment
) -> KeyDocument:
    """Create a key for somebody who holds one: no more rights than theirs, and on record."""
    _check_grant(actor, request)
    request = await _within_own_limits(session, actor, request, moment.at)
    mode = request.livemode
    if await standing_count(session, request.merchant_id, moment.at, livemode=mode) >= KEYS_MAX:
        raise Conflict(f"at most {KEYS_MAX} keys are in force at once", code="too_many_keys")
    # An operator too: whoever has seen the secrets of two keys is one at the merchant's gate.
    maker = await behind(session, actor.key_id)
    document = await create_key(
        session,
        request,
        pepper,
        moment,
        maker=maker,
        made_with=None if actor.signed_in is not None else actor.key_id,
    )
    await record(
        session,
        actor,
        moment,
        action="api_key.created",
        subject=document.id,
        merchant_id=request.merchant_id,
        after={
            "name": document.name,
            "scopes": document.scopes,
            "livemode": document.livemode,
            "allowed_ips": document.allowed_ips,
            "public_key": document.public_key,
        },
    )
    return document


async def revoke_key(
    session: AsyncSession, actor: Actor, key_id: str, moment: Moment
) -> KeyDocument:
    """Revoke for good, with all that was made with it; one that is revoked already stays so."""
    row = await key_of(session, actor.tenant, key_id, livemode=actor.livemode, lock=True)
    if row is None:
        raise NotFound(f"there is no API key {key_id[:64]}")
    if row.revoked_at is not None:
        return key_document(row)
    ended = await end_key(session, actor, row, moment)
    return key_document(row, ended=[each.id for each in ended])


async def end_key(
    session: AsyncSession, actor: Actor, row: ApiKey, moment: Moment, *, made: bool = True
) -> list[ApiKey]:
    """Revoke a key that is in force, on its merchant's record; return what ended with it.

    Whoever held it may hold what was made with it, and with that: they end as well, unless not
    `made`. A key that is being made with it waits for the row, and is refused.
    """
    row.revoked_at = moment.at
    await session.flush()
    ended: list[ApiKey] = []
    # Once more after each wait: what was being made meanwhile is seen by the next statement alone.
    while made and (more := await made_with(session, row.id)):
        for each in more:
            each.revoked_at = moment.at
        await session.flush()
        ended += more
    for each in (row, *ended):
        with_it = {} if each is row else {"with": row.id}
        await record(
            session,
            actor,
            moment,
            action="api_key.revoked",
            subject=each.id,
            merchant_id=each.merchant_id,
            before={"revoked_at": None},
            after={"revoked_at": moment.at.isoformat(), **with_it},
        )
    return ended


async def _within_own_limits(
    session: AsyncSession, actor: Actor, request: KeyRequest, at: datetime
) -> KeyRequest:
    """Return the request within the addresses, end and limit of the key that makes the new one.

    What is left out is taken over: else a key would slip its own limits by making another.
    """
    if actor.merchant_id is None or actor.signed_in is not None:
        return request
    own = await key_of(session, actor.tenant, actor.key_id, livemode=actor.livemode)
    if own is None:
        raise Forbidden("this key is gone")
    wanted = replace(
        request,
        allowed_ips=request.allowed_ips or own.allowed_ips,
        expires_at=request.expires_at or own.expires_at,
        requests_per_minute=request.requests_per_minute or own.requests_per_minute,
    )
    limits = {
        "allowed_ips": wanted.allowed_ips,
        "expires_at": wanted.expires_at,
        "requests_per_minute": wanted.requests_per_minute,
    }
    given = {name: value for name, value in limits.items() if value is not None}
    require_narrowing(own, given, at)
    return wanted


def _refusal(fault: IntegrityError) -> Exception:
    """Return what a fault of the database means to whoever asks for a key; pure."""
    cause = fault.orig
    if isinstance(cause, psycopg.Error) and cause.diag.constraint_name == "api_key_maker":
        return Forbidden("the key that asks for this one has just ended", code="key_ended")
    return fault


def _check_grant(actor: Actor, request: KeyRequest) -> None:
    operator = actor.merchant_id is None
    if request.livemode != actor.livemode and not (operator and actor.livemode):
        raise Invalid.field(
            "/livemode", "livemode_not_allowed", "this key cannot make a key of the other mode"
        )
    # An operator's key holds none of the merchants' scopes; handing them out is what it is for.
    lacking = set() if operator else set(request.scopes) & MERCHANT_SCOPES - actor.scopes
    if lacking:
        raise Forbidden(f"this key cannot grant what it lacks: {', '.join(sorted(lacking))}")


def _check_scopes(request: KeyRequest) -> None:
    known = OPERATOR_SCOPES if request.merchant_id is None else MERCHANT_SCOPES
    for index, scope in enumerate(request.scopes):
        if scope not in known:
            raise Invalid.field(
                f"/scopes/{index}", "unknown_scope", f"{scope[:64]}: one of {sorted(known)}"
            )
