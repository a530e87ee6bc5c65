"""Passwords and e-mail addresses: changed by who knows the password, or who reads the mailbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid, Unauthenticated
from gateway.domain.password import require_strong
from gateway.models import User
from gateway.notifications import post
from gateway.sessions import letters, proofs, repository, throttle, tokens
from gateway.sessions.passwords import SALT_BYTES
from gateway.sessions.service import Door, proven

LASTS = {proofs.RESET: timedelta(hours=1), proofs.VERIFY: timedelta(days=1)}
CHANGE = "change"
MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Room:
    """What a signed-in person needs here."""

    door: Door
    actor: Actor

    @property
    def tenant(self) -> str:
        """Return what stands for the tenant in this person's transactions."""
        return self.actor.merchant_id or self.actor.key_id

    async def person(self) -> User:
        """Return the person; a key is nobody and is refused."""
        user_id, _ = self.actor.key_id, self.actor.session
        async with self.door.database.unit_of_work(self.tenant) as session:
            return await repository.person(session, user_id)


async def change_password(room: Room, current: str, new: str) -> User:
    """Set a new password and end every other session of the person."""
    door, actor, moment = room.door, room.actor, room.door.moment
    row = await _known(room, current, "/current_password")
    phc = await new_hash(door, "/new_password", new, names_of(row))
    async with door.database.unit_of_work(room.tenant) as session:
        if not await proofs.change_password(session, actor.session.token_hash, phc, moment.at):
            raise Unauthenticated("this session is over")
        await record(session, actor, moment, action="user.password_changed", subject=row.id)
        letter = letters.password_letter(row.email, row.merchant_id, "every other session")
        await post(session, letter, moment)
    return await room.person()


async def change_email(room: Room, password: str, email: str) -> None:
    """Send a proof to the new address; the old one stays until it comes back.

    The answer does not tell whether the address is somebody's already.
    """
    row = await _known(room, password, "/password")
    door = room.door
    await admit_mail(door, row.email)
    async with door.database.unit_of_work(room.tenant) as session:
        await _send(session, door, row, purpose=proofs.VERIFY, email=email.lower())
        action = "user.email_change_asked"
        await record(session, room.actor, door.moment, action=action, subject=row.id)


async def prove_email(room: Room) -> None:
    """Send the proof of the present address once more, where it is still open."""
    row, door = await room.person(), room.door
    await admit_mail(door, row.email)
    if row.email_verified_at is None:
        async with door.database.unit_of_work(room.tenant) as session:
            await _send(session, door, row, purpose=proofs.VERIFY, email=row.email)


async def admit_mail(door: Door, email: str) -> None:
    """Count a wish for a letter with a token; whoever wishes too often waits, account or not."""
    async with door.database.unit_of_work(None) as session:
        await throttle.count(session, MAIL, email, door.visitor.address, door.moment.at)


async def send_reset(door: Door, email: str) -> None:
    """Send a reset where there is such an account; nobody waits for this, or hears of it."""
    async with door.database.unit_of_work(None) as session:
        account = await repository.account_of(session, email)
        if account is None or not account.usable:
            return
        async with acting_for(session, account.tenant):
            row = await repository.person(session, account.id)
            await _send(session, door, row, purpose=proofs.RESET, email=row.email)
            actor = door.visitor.as_actor(row.id, row.merchant_id)
            action = "user.password_reset_asked"
            await record(session, actor, door.moment, action=action, subject=row.id)


async def confirm_reset(door: Door, token: str, password: str) -> None:
    """Set the password by a token; every session of the person ends."""
    digest, moment = tokens.hashed(token), door.moment
    async with door.database.unit_of_work(None) as session:
        owner = await proofs.owner(session, digest, proofs.RESET, moment.at)
    if owner is None:
        raise dead_token()
    phc = await new_hash(door, "/password", password, owner.names)
    async with door.database.unit_of_work(None) as session:
        found = await proofs.reset_password(session, digest, phc, moment.at)
        if found is None:
            raise dead_token()
        async with acting_for(session, found.merchant_id or found.user_id):
            actor = door.visitor.as_actor(found.user_id, found.merchant_id)
            action = "user.password_reset"
            await record(session, actor, moment, action=action, subject=found.user_id)
            letter = letters.password_letter(owner.email, found.merchant_id, "every session")
            await post(session, letter, moment)


async def confirm_email(door: Door, token: str) -> None:
    """Take a proof: the address it was sent to is the person's own from now on."""
    moment = door.moment
    async with door.database.unit_of_work(None) as session:
        try:
            found = await proofs.verify_email(session, tokens.hashed(token), moment.at)
        except IntegrityError as fault:
            raise Conflict("this address is another account's", code="email_taken") from fault
        if found is None:
            raise dead_token()
        async with acting_for(session, found.merchant_id or found.user_id):
            actor = door.visitor.as_actor(found.user_id, found.merchant_id)
            action, moved = "user.email_verified", found.before.lower() != found.email.lower()
            before, after = {"email": found.before}, {"email": found.email}
            await record(
                session,
                actor,
                moment,
                action=action,
                subject=found.user_id,
                before=before,
                after=after,
            )
            if moved:
                await post(
                    session, letters.moved_letter(found.before, found.merchant_id), moment
                )


async def new_hash(door: Door, pointer: str, password: str, names: Sequence[str]) -> str:
    """Return the hash of a password that is strong enough."""
    strong = require_strong(pointer, password, names)
    return await door.passwords.hashed(strong, door.moment.randomness(SALT_BYTES))


def names_of(row: User) -> Sequence[str]:
    """Return what a password of this person should not be made of."""
    return [row.email, row.username or ""]


def dead_token() -> Invalid:
    """Refuse a token that is unknown, used or too old, in one way."""
    return Invalid.field("/token", "invalid_token", "this token does not count (any more)")


async def _known(room: Room, password: str, pointer: str) -> User:
    """Return the person, who showed the password once more."""
    row = await room.person()
    try:
        await proven(room.door, CHANGE, row.email, password)
    except Unauthenticated as fault:
        raise Invalid.field(pointer, "wrong_password", "this is not the password") from fault
    return row


async def _send(
    session: AsyncSession, door: Door, row: User, *, purpose: str, email: str
) -> None:
    """Write a token down, hashed, and its letter."""
    moment = door.moment
    token = tokens.new_token(tokens.PROOF, moment.randomness(tokens.RANDOM_BYTES))
    await proofs.add(
        session,
        {
            "id": moment.id("ott"),
            "user_id": row.id,
            "token_hash": tokens.hashed(token),
            "purpose": purpose,
            "email": email,
            "created_at": moment.at,
            "expires_at": moment.at + LASTS[purpose],
        },
    )
    write = letters.reset_letter if purpose == proofs.RESET else letters.proof_letter
    letter = write(email, row.merchant_id, token, door.settings.page_url)
    await post(session, letter, moment)
