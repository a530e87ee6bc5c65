"""A person's own second factors, stepping up, and an admin's reset, over HTTP."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Invalid, Unauthenticated
from gateway.factors import guesses, repository, reset, service, stepping
from gateway.factors.documents import Challenge, CreationOptions, FactorsDocument, TotpOffer
from gateway.factors.passkeys import site_of
from gateway.factors.proofs import FactorShown, PasskeyShown, PasswordShown, as_json, kind_of
from gateway.factors.schemas import AddPasskey, ConfirmTotp, RenamePasskey, StepUp
from gateway.factors.secrets import FactorSecrets
from gateway.factors.service import Desk
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.cookies import SESSION_COOKIE
from gateway.sessions import tokens
from gateway.sessions.controller import provide_door, token_answer
from gateway.sessions.documents import SessionDocument
from gateway.sessions.service import Door, proven, step_up
from gateway.settings import Settings

ObjectId = Annotated[str, Parameter(max_length=64)]
STEP_UP = "step-up"


class Hall:
    """Where a person's factors are at hand: the call, the secrets, the site.

    A key is nobody and is refused.
    """

    def __init__(self, call: Call, settings: Settings, factor_secrets: FactorSecrets) -> None:
        self.person = call.actor.session
        self._call = call
        self._secrets = factor_secrets
        self._site = site_of(settings.api.public_url)

    def desk(self, session: AsyncSession) -> Desk:
        """Return the desk of one transaction."""
        actor = self._call.actor
        return Desk(session, actor, self._call.moment, self._secrets, self._site)


async def provide_hall(call: Call, settings: Settings, factor_secrets: FactorSecrets) -> Hall:
    """Gather what handlers here need."""
    return Hall(call, settings, factor_secrets)


class FactorController(Controller):
    """One's own factors; whoever changes them has shown one, or the password, just now."""

    path = "/factors"
    dependencies = {"hall": provide_hall}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires()])
    async def index(self, call: Call, hall: Hall) -> FactorsDocument:
        """Show what is set up."""
        async with call.transaction() as session:
            return await service.shown(hall.desk(session))

    @post("/totp", guards=[requires(step_up=True)])
    async def begin_totp(self, call: Call, hall: Hall) -> Response[TotpOffer]:
        """Make a secret for an authenticator app; it is shown only here."""

        async def work(session: AsyncSession) -> TotpOffer:
            return await service.begin_totp(hall.desk(session))

        return await call.once(work, own=True)

    @post("/totp/confirm", guards=[requires(step_up=True)], status_code=200)
    async def confirm_totp(
        self, call: Call, hall: Hall, data: ConfirmTotp
    ) -> Response[FactorsDocument]:
        """Put the app in force; the first factor brings recovery codes, shown only here."""

        async def work(session: AsyncSession) -> FactorsDocument:
            return await service.confirm_totp(hall.desk(session), data.code)

        return await call.once(work, status=200, own=True)

    @delete(
        "/totp",
        guards=[requires(step_up=True)],
        status_code=200,
        opt={"refusals": (404,)},
    )
    async def remove_totp(self, call: Call, hall: Hall) -> FactorsDocument:
        """Remove the app."""
        async with call.transaction() as session:
            return await service.remove_totp(hall.desk(session))

    @post("/recovery_codes", guards=[requires(step_up=True)])
    async def new_codes(self, call: Call, hall: Hall) -> Response[FactorsDocument]:
        """Make ten recovery codes, shown only here; the ones before them are void."""

        async def work(session: AsyncSession) -> FactorsDocument:
            return await service.new_codes(hall.desk(session))

        return await call.once(work, own=True)

    @post("/passkeys/options", guards=[requires(step_up=True)], status_code=200)
    async def begin_passkey(self, call: Call, hall: Hall) -> Response[CreationOptions]:
        """Return what the browser needs to make a passkey."""

        async def work(session: AsyncSession) -> CreationOptions:
            return await service.begin_passkey(hall.desk(session))

        return await call.once(work, status=200, own=True)

    @post("/passkeys", guards=[requires(step_up=True)])
    async def add_passkey(
        self, call: Call, hall: Hall, data: AddPasskey
    ) -> Response[FactorsDocument]:
        """Keep the passkey that the browser made; the first factor brings recovery codes."""

        async def work(session: AsyncSession) -> FactorsDocument:
            credential = as_json(data.credential)
            return await service.add_passkey(hall.desk(session), data.name, credential)

        return await call.once(work, own=True)

    @patch("/passkeys/{passkey_id:str}", guards=[requires(step_up=True)])
    async def rename_passkey(
        self, call: Call, hall: Hall, passkey_id: ObjectId, data: RenamePasskey
    ) -> FactorsDocument:
        """Give a passkey another name."""
        async with call.transaction() as session:
            return await service.rename_passkey(hall.desk(session), passkey_id, data.name)

    @delete("/passkeys/{passkey_id:str}", guards=[requires(step_up=True)], status_code=200)
    async def remove_passkey(
        self, call: Call, hall: Hall, passkey_id: ObjectId
    ) -> FactorsDocument:
        """Remove a passkey."""
        async with call.transaction() as session:
            return await service.remove_passkey(hall.desk(session), passkey_id)


class StepUpController(Controller):
    """Proving oneself: the second factor of a sign-in, and once more before money moves."""

    path = "/sessions/current"
    dependencies = {  # noqa: RUF012 - Litestar reads it from the class
        "door": provide_door,
        "hall": provide_hall,
    }

    @post("/challenge", guards=[requires(unfinished=True)], status_code=200)
    async def challenge(self, call: Call, hall: Hall) -> Response[Challenge]:
        """Say what may be shown; with a passkey, what it has to sign."""

        async def work(session: AsyncSession) -> Challenge:
            return await stepping.challenge(hall.desk(session))

        return await call.once(work, status=200, own=True)

    @post("/step_up", guards=[requires(unfinished=True)], status_code=200)
    async def step_up(
        self, request: Request[Any, Any, Any], call: Call, door: Door, hall: Hall, data: StepUp
    ) -> Response[SessionDocument]:
        """Show a factor, or the password where there is none; the session gets its next token.

        A proof counts once, so repeating this request is refused: no `Idempotency-Key` is kept.
        """
        if isinstance(data.proof, PasswordShown):
            document = await _by_password(call, door, hall, data.proof.password)
        else:
            document = await _by_factor(call, hall, data.proof)
        shown = request.cookies.get(SESSION_COOKIE, "")
        cookie = tokens.hashed(shown) == hall.person.token_hash
        return token_answer(document, door.settings.session_hours, cookie=cookie)


class FactorResetController(Controller):
    """For admins."""

    path = "/users/{user_id:str}/factors"

    @delete("/", guards=[requires("people:write", step_up=True)])
    async def reset(self, call: Call, user_id: ObjectId) -> None:
        """Take every second factor from somebody who lost them, and end the person's sessions."""
        async with call.transaction() as session:
            await reset.reset(session, call.actor, user_id, call.moment)


async def _by_factor(call: Call, hall: Hall, shown: FactorShown) -> SessionDocument:
    guessable = not isinstance(shown, PasskeyShown)
    if guessable:
        async with call.transaction() as session:
            await guesses.count(session, call.actor.key_id, call.moment.at)
    async with call.transaction() as session:
        desk = hall.desk(session)
        holds = await stepping.proved(desk, shown)
        if holds:
            if guessable:
                await guesses.forgive(session, desk.user_id)
            return await step_up(session, call.actor, call.moment, factor=kind_of(shown))
    raise Invalid.field("/proof", "wrong_proof", "this does not prove who you are")


async def _by_password(call: Call, door: Door, hall: Hall, password: str) -> SessionDocument:
    async with call.transaction() as session:
        desk = hall.desk(session)
        if stepping.PASSWORD not in await stepping.kinds_for(desk):
            raise Invalid.field("/proof/kind", "factor_needed", "show your second factor")
        email = await repository.email_of(session, desk.user_id)
    try:
        await proven(door, STEP_UP, email, password)
    except Unauthenticated as fault:
        raise Invalid.field("/proof", "wrong_proof", "this is not the password") from fault
    async with call.transaction() as session:
        return await step_up(session, call.actor, call.moment, factor=stepping.PASSWORD)
