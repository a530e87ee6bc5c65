"""Setting up, renaming and removing a person's own factors; each change is on record and mailed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.domain.moment import Moment
from gateway.factors import letters, passkeys, recovery, repository, totp
from gateway.factors.documents import (
    CreationOptions,
    FactorsDocument,
    TotpOffer,
    factors_document,
)
from gateway.factors.passkeys import KnownPasskey, NotProved, Person, Site
from gateway.factors.repository import Asked
from gateway.factors.secrets import FactorSecrets
from gateway.models import Passkey
from gateway.notifications import post

OFFER_LASTS = timedelta(minutes=10)
CHALLENGE_LASTS = timedelta(milliseconds=passkeys.TIMEOUT_MILLISECONDS)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every step has in hand: one signed-in person at one moment."""

    session: AsyncSession
    actor: Actor
    moment: Moment
    secrets: FactorSecrets
    site: Site

    @property
    def token(self) -> bytes:
        """Return the hash of the session's token; a key has none and is refused."""
        return self.actor.session.token_hash

    @property
    def user_id(self) -> str:
        """Return whose factors these are."""
        return self.actor.key_id


async def shown(desk: Desk, codes: list[str] | None = None) -> FactorsDocument:
    """Return the person's factors; `codes` are recovery codes that were made just now."""
    return factors_document(
        await repository.totp_of(desk.session, desk.user_id),
        await repository.passkeys_of(desk.session, desk.user_id),
        await repository.codes_left(desk.session, desk.user_id),
        codes,
    )


async def begin_totp(desk: Desk) -> TotpOffer:
    """Offer a secret to an authenticator app; an app that is in force stays so until then."""
    secret = totp.new_secret(desk.moment.randomness(totp.SECRET_BYTES))
    sealed = desk.secrets.close(secret, desk.user_id, desk.moment.randomness)
    email = await repository.email_of(desk.session, desk.user_id)
    if not await repository.offer_totp(desk.session, desk.token, sealed, desk.moment.at):
        raise _stale()
    return TotpOffer(
        object="totp_offer",
        secret=secret,
        otpauth_uri=totp.enrolment_uri(secret, email, passkeys.SITE_NAME),
        expires_at=desk.moment.at + OFFER_LASTS,
    )


async def confirm_totp(desk: Desk, code: str) -> FactorsDocument:
    """Put the offered app in force, once it showed a code."""
    at = desk.moment.at
    row = await repository.totp_of(desk.session, desk.user_id)
    if row is None or row.offered is None or row.offered_at is None:
        raise Conflict("begin with a new secret", code="totp_not_offered")
    if at - row.offered_at > OFFER_LASTS:
        raise Conflict(
            "begin anew: the secret was offered too long ago", code="totp_not_offered"
        )
    secret = desk.secrets.open(row.offered, desk.user_id)
    step = None if secret is None else totp.step_of(secret, code, at)
    if step is None:
        raise Invalid.field("/code", "wrong_code", "this code does not fit now")
    if not await repository.confirm_totp(desk.session, desk.token, row.offered, step, at):
        raise _stale()
    await told(desk, "totp.confirmed", letters.SET_UP)
    return await _with_codes(desk)


async def remove_totp(desk: Desk) -> FactorsDocument:
    """Remove the authenticator app."""
    if not await repository.drop_totp(desk.session, desk.token, desk.moment.at):
        raise NotFound("there is no authenticator app")
    await told(desk, "totp.removed", letters.REMOVED)
    return await shown(desk)


async def new_codes(desk: Desk) -> FactorsDocument:
    """Make ten recovery codes; those before them are void."""
    codes = recovery.new_codes(desk.moment.randomness)
    hashes = [desk.secrets.code_hash(desk.user_id, code) for code in codes]
    if not await repository.write_codes(desk.session, desk.token, hashes, desk.moment.at):
        raise Conflict("recovery codes need a second factor", code="no_second_factor")
    await told(desk, "recovery_codes.made", letters.NEW_CODES)
    return await shown(desk, codes)


async def begin_passkey(desk: Desk) -> CreationOptions:
    """Return what the browser needs to make a passkey."""
    ends = desk.moment.at + CHALLENGE_LASTS
    challenge = desk.moment.randomness(passkeys.CHALLENGE_BYTES)
    asked = Asked("create", ends)
    if not await repository.ask_challenge(
        desk.session, desk.token, asked, challenge, desk.moment.at
    ):
        raise _stale()
    email = await repository.email_of(desk.session, desk.user_id)
    person = Person(desk.user_id, email)
    known = await known_passkeys(desk)
    options = passkeys.registration_options(desk.site, person, challenge, known)
    return CreationOptions(object="passkey_options", public_key=options, expires_at=ends)


async def add_passkey(desk: Desk, name: str, credential: Mapping[str, Any]) -> FactorsDocument:
    """Keep the passkey that the browser made for this session's challenge."""
    at, passkey_id = desk.moment.at, desk.moment.id("pky")
    challenge = await repository.take_challenge(desk.session, desk.token, "create", at)
    if challenge is None:
        raise Conflict("ask for new options: these are over", code="challenge_over")
    try:
        new = passkeys.registered(desk.site, credential, challenge)
    except NotProved as fault:
        structlog.get_logger().info("passkey refused", reason=str(fault))
        raise Invalid.field(
            "/credential", "passkey_refused", "not as it was asked for"
        ) from fault
    if not await repository.add_passkey(
        desk.session, desk.token, passkey_id, new, name=name, at=at
    ):
        raise Conflict("this passkey is known, or there are ten", code="passkey_not_added")
    await told(desk, "passkey.added", letters.PASSKEY_ADDED, passkey_id)
    return await _with_codes(desk)


async def rename_passkey(desk: Desk, passkey_id: str, name: str) -> FactorsDocument:
    """Give a passkey another name."""
    found = [row for row in await _passkeys(desk) if row.id == passkey_id]
    before = found[0].name if found else None
    if not await repository.rename_passkey(desk.session, desk.user_id, passkey_id, name):
        raise _no_passkey(passkey_id)
    await record(
        desk.session,
        desk.actor,
        desk.moment,
        action="passkey.renamed",
        subject=passkey_id,
        before={"name": before},
        after={"name": name},
    )
    return await shown(desk)


async def remove_passkey(desk: Desk, passkey_id: str) -> FactorsDocument:
    """Remove a passkey; it opens nothing from now on."""
    if not await repository.drop_passkey(desk.session, desk.token, passkey_id, desk.moment.at):
        raise _no_passkey(passkey_id)
    await told(desk, "passkey.removed", letters.PASSKEY_REMOVED, passkey_id)
    return await shown(desk)


async def known_passkeys(desk: Desk) -> list[KnownPasskey]:
    """Return what assertions of this person are checked against."""
    return [
        KnownPasskey(row.credential_id, row.public_key, row.sign_count, row.transports)
        for row in await _passkeys(desk)
    ]


async def told(desk: Desk, action: str, sentence: str, subject: str | None = None) -> None:
    """Put a change on record and tell the person by mail, who may not be the one who did it."""
    subject = subject or desk.user_id
    await record(desk.session, desk.actor, desk.moment, action=action, subject=subject)
    email = await repository.email_of(desk.session, desk.user_id)
    letter = letters.factor_letter(email, desk.actor.merchant_id, sentence)
    await post(desk.session, letter, desk.moment)


async def _with_codes(desk: Desk) -> FactorsDocument:
    """Return the factors; whoever has no recovery code left gets ten."""
    if await repository.codes_left(desk.session, desk.user_id):
        return await shown(desk)
    return await new_codes(desk)


async def _passkeys(desk: Desk) -> list[Passkey]:
    return list(await repository.passkeys_of(desk.session, desk.user_id))


def _stale() -> Forbidden:
    return Forbidden("present a factor once more for this", code="step_up_required")


def _no_passkey(passkey_id: str) -> NotFound:
    return NotFound(f"there is no passkey {passkey_id[:64]}")
