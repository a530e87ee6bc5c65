"""Stepping up: a person proves once more who it is, at sign-in and before money moves.

What was counted, spent or put on record must stay when the proof fails, so `proved` answers
instead of raising, and its caller commits first.
"""

import structlog

from gateway.audit.service import record
from gateway.factors import guesses, letters, passkeys, repository, totp
from gateway.factors.documents import Challenge
from gateway.factors.passkeys import NotProved
from gateway.factors.proofs import (
    CodeShown,
    FactorShown,
    PasskeyShown,
    RecoveryCodeShown,
    as_json,
    kind_of,
)
from gateway.factors.repository import Asked
from gateway.factors.service import CHALLENGE_LASTS, Desk, known_passkeys, told
from gateway.notifications import post

PASSWORD = "password"  # noqa: S105 - the name of a kind of proof


async def kinds_for(desk: Desk) -> list[str]:
    """Return the kinds of proof that the person has; the password only where there is no other."""
    app = await repository.totp_of(desk.session, desk.user_id)
    kinds = ["totp"] if app is not None and app.secret is not None else []
    if await repository.passkeys_of(desk.session, desk.user_id):
        kinds.append("passkey")
    if not kinds:
        return [PASSWORD]
    if await repository.codes_left(desk.session, desk.user_id):
        kinds.append("recovery_code")
    return kinds


async def challenge(desk: Desk) -> Challenge:
    """Say what may be shown, and give a browser with a passkey what it has to sign."""
    at = desk.moment.at
    ends = at + CHALLENGE_LASTS
    known = await known_passkeys(desk)
    options = None
    if known:
        nonce = desk.moment.randomness(passkeys.CHALLENGE_BYTES)
        asked = Asked("get", ends)
        await repository.ask_challenge(desk.session, desk.token, asked, nonce, at)
        options = passkeys.authentication_options(desk.site, nonce, known)
    return Challenge(
        object="challenge", kinds=await kinds_for(desk), public_key=options, expires_at=ends
    )


async def proved(desk: Desk, shown: FactorShown) -> bool:
    """Tell whether the proof is the person's, is new and holds; spend it."""
    if await _holds(desk, shown):
        return True
    await repository.one_by_one(desk.session, desk.user_id)
    await record(
        desk.session,
        desk.actor,
        desk.moment,
        action="session.proof_refused",
        subject=desk.user_id,
        after={"factor": kind_of(shown), "session": desk.actor.session.id},
    )
    await _warn(desk)
    return False


async def _warn(desk: Desk) -> None:
    """Write to the person at the fifth wrong proof: whoever shows them knows the password."""
    refused = await repository.refused_proofs(desk.session, desk.token, desk.moment.at)
    if refused == guesses.FREE:
        email = await repository.email_of(desk.session, desk.user_id)
        letter = letters.guessing_letter(email, desk.actor.merchant_id)
        await post(desk.session, letter, desk.moment)


async def _holds(desk: Desk, shown: FactorShown) -> bool:
    match shown:
        case CodeShown(code=code):
            return await _code_holds(desk, code)
        case RecoveryCodeShown(code=code):
            return await _recovery_code_holds(desk, code)
        case PasskeyShown():
            return await _passkey_holds(desk, shown)


async def _code_holds(desk: Desk, code: str) -> bool:
    app = await repository.totp_of(desk.session, desk.user_id)
    if app is None or app.secret is None:
        return False
    secret, at = desk.secrets.open(app.secret, desk.user_id), desk.moment.at
    step = None if secret is None else totp.step_of(secret, code, at)
    return step is not None and await repository.use_totp(desk.session, desk.token, step, at)


async def _recovery_code_holds(desk: Desk, code: str) -> bool:
    stored = desk.secrets.code_hash(desk.user_id, code)
    if not await repository.use_code(desk.session, desk.token, stored, desk.moment.at):
        return False
    left = await repository.codes_left(desk.session, desk.user_id)
    await told(desk, "recovery_code.used", letters.code_used(left))
    return True


async def _passkey_holds(desk: Desk, shown: PasskeyShown) -> bool:
    at, credential = desk.moment.at, as_json(shown.credential)
    nonce = await repository.take_challenge(desk.session, desk.token, "get", at)
    if nonce is None:
        return False
    try:
        name = passkeys.credential_id_of(credential)
        known = [each for each in await known_passkeys(desk) if each.credential_id == name]
        if not known:
            return False
        count = passkeys.asserted(desk.site, credential, nonce, known[0])
    except NotProved as fault:
        structlog.get_logger().info("passkey refused", reason=str(fault))
        return False
    return await repository.use_passkey(desk.session, desk.token, name, count, at)
