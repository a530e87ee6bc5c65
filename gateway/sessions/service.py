"""Sessions: signing in and out, the list, the mode, the token after a factor was shown."""

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import Database
from gateway.domain.actor import Actor
from gateway.domain.errors import NotFound, Unauthenticated
from gateway.domain.moment import Moment
from gateway.models import UserSession
from gateway.sessions import repository, throttle, tokens
from gateway.sessions.documents import SessionDocument, session_document
from gateway.sessions.passwords import SALT_BYTES, Passwords
from gateway.sessions.repository import Account
from gateway.settings import PeopleSettings

SIGN_IN = "sign-in"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from, of somebody who is not known yet."""

    address: str | None
    user_agent: str | None
    endpoint: str
    request_id: str

    def as_actor(self, user_id: str, merchant_id: str | None) -> Actor:
        """Return who acts, once it is known."""
        return Actor(
            key_id=user_id,
            merchant_id=merchant_id,
            scopes=frozenset(),
            livemode=False,
            address=self.address,
            endpoint=self.endpoint,
            request_id=self.request_id,
        )


@dataclass(frozen=True, slots=True)
class Door:
    """What somebody at the door needs; a password is never hashed inside a transaction."""

    database: Database
    passwords: Passwords
    settings: PeopleSettings
    moment: Moment
    visitor: Visitor

    @property
    def idle(self) -> timedelta:
        """Return how long a session lasts without use."""
        return timedelta(minutes=self.settings.session_idle_minutes)


async def sign_in(door: Door, email: str, password: str, *, livemode: bool) -> SessionDocument:
    """Open a session, or refuse in one way whatever was wrong."""
    account = await proven(door, SIGN_IN, email, password)
    renewed = await _renewed(door, account, password)
    token = tokens.new_token(tokens.SESSION, door.moment.randomness(tokens.RANDOM_BYTES))
    async with door.database.unit_of_work(account.tenant) as session:
        if renewed is not None and account.password_hash is not None:
            await repository.rehash(session, account.id, account.password_hash, renewed)
            account = replace(account, password_hash=renewed)
        session_id = await _opened(session, door, account, token, livemode=livemode)
        row = await repository.session_of(session, account.id, session_id)
        if row is None:
            raise RuntimeError(f"session {session_id} is gone at its beginning")
        actor = door.visitor.as_actor(account.id, account.merchant_id)
        after = {"livemode": livemode, "user_agent": row.user_agent}
        await record(
            session,
            actor,
            door.moment,
            action="session.created",
            subject=session_id,
            after=after,
        )
        return session_document(row, current=True, token=token)


async def proven(door: Door, deed: str, email: str, password: str) -> Account:
    """Return the account that e-mail address and password open; every refusal is the same.

    Nobody learns from answer or work whether there is such an account.
    """
    address, at = door.visitor.address, door.moment.at
    async with door.database.unit_of_work(None) as session:
        await throttle.count(session, deed, email, address, at)
    async with door.database.unit_of_work(None) as session:
        account = await repository.account_of(session, email)
    phc = await door.passwords.shown(password, account.password_salt if account else None)
    async with door.database.unit_of_work(None) as session:
        right = await repository.is_password(session, account.id if account else "", phc)
    if account is None or not right or not account.usable:
        await _refused(door, email, account, right=right)
        raise Unauthenticated("e-mail address or password is wrong", code="sign_in_refused")
    async with door.database.unit_of_work(None) as session:
        await throttle.forgive(session, deed, email, address)
    return replace(account, password_hash=phc)


async def sign_out(session: AsyncSession, actor: Actor, moment: Moment) -> SessionDocument:
    """End the session of this request."""
    return await revoke(session, actor, actor.session.id, moment)


async def revoke(
    session: AsyncSession, actor: Actor, session_id: str, moment: Moment
) -> SessionDocument:
    """End one of the person's own sessions; one that is over stays as it is."""
    own = actor.session.id
    row = await _own(session, actor, session_id)
    if row.revoked_at is None:
        row.revoked_at = moment.at
        await session.flush()
        await record(session, actor, moment, action="session.revoked", subject=row.id)
    return session_document(row, current=row.id == own)


async def revoke_others(session: AsyncSession, actor: Actor, moment: Moment) -> int:
    """End all of the person's sessions but this one; return how many."""
    own = actor.session.id
    ended = await repository.revoke_all(session, actor.key_id, moment.at, but=own)
    if ended:
        await record(
            session,
            actor,
            moment,
            action="session.others_revoked",
            subject=actor.key_id,
            after={"sessions": ended},
        )
    return ended


async def switch_mode(
    session: AsyncSession, actor: Actor, moment: Moment, *, livemode: bool
) -> SessionDocument:
    """Let the session see test networks, or real ones."""
    row = await _own(session, actor, actor.session.id)
    if row.livemode != livemode:
        row.livemode = livemode
        await session.flush()
        await record(
            session,
            actor,
            moment,
            action="session.mode_changed",
            subject=row.id,
            before={"livemode": not livemode},
            after={"livemode": livemode},
        )
    return session_document(row, current=True)


async def step_up(
    session: AsyncSession, actor: Actor, moment: Moment, *, factor: str
) -> SessionDocument:
    """Note that the person showed a factor, and return the session with its new token.

    The token of before opens nothing from now on: who had copied it is out.
    """
    token = tokens.new_token(tokens.SESSION, moment.randomness(tokens.RANDOM_BYTES))
    old, new = actor.session.token_hash, tokens.hashed(token)
    if not await repository.step_up(session, old, new, moment.at):
        raise Unauthenticated("this session is over")
    row = await _own(session, actor, actor.session.id)
    after = {"factor": factor}
    await record(
        session, actor, moment, action="session.stepped_up", subject=row.id, after=after
    )
    return session_document(row, current=True, token=token)


async def _own(session: AsyncSession, actor: Actor, session_id: str) -> UserSession:
    row = await repository.session_of(session, actor.key_id, session_id)
    if row is None:
        raise NotFound(f"there is no session {session_id[:64]}")
    return row


async def _renewed(door: Door, account: Account, password: str) -> str | None:
    """Return a hash at today's cost where the stored one is of another."""
    if account.password_hash is None or not door.passwords.is_outdated(account.password_hash):
        return None
    return await door.passwords.hashed(password, door.moment.randomness(SALT_BYTES))


async def _opened(
    session: AsyncSession, door: Door, account: Account, token: str, *, livemode: bool
) -> str:
    at = door.moment.at
    session_id = door.moment.id("ses")
    agent = door.visitor.user_agent
    values = {
        "id": session_id,
        "user_id": account.id,
        "hash": tokens.hashed(token),
        "phc": account.password_hash,
        "livemode": livemode,
        "address": door.visitor.address,
        "agent": agent if agent is None else agent[:300],
        "now": at,
        "ends": at + timedelta(hours=door.settings.session_hours),
    }
    if await repository.open_session(session, values) is None:
        raise Unauthenticated("e-mail address or password is wrong", code="sign_in_refused")
    return session_id


async def _refused(door: Door, email: str, account: Account | None, *, right: bool) -> None:
    """Write the refusal down; the address that was tried is a stranger's word and stays out."""
    reason = "suspended" if account is not None and right else "wrong"
    values = {
        "person": None if account is None else account.id,
        "account": "account:" + throttle.names("", email, "")[1].hex()[:16],
        "reason": reason,
        "address": door.visitor.address,
        "endpoint": door.visitor.endpoint,
        "request": door.visitor.request_id,
        "now": door.moment.at,
    }
    async with door.database.unit_of_work(None) as session:
        await repository.record_refused(session, values)
