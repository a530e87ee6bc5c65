"""One's own account, and the doors that a token opens."""

from litestar import Controller, Response, get, patch, post
from litestar.background_tasks import BackgroundTask

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.parts import given
from gateway.people import service
from gateway.people.controller import desk_of
from gateway.people.documents import UserDocument, user_document
from gateway.people.invitations import Newcomer, accept_invitation
from gateway.people.schemas import AcceptInvitation, ChangeProfile
from gateway.sessions import credentials
from gateway.sessions.controller import provide_door
from gateway.sessions.credentials import Room
from gateway.sessions.documents import DoneDocument, done
from gateway.sessions.schemas import (
    ChangeEmail,
    ChangePassword,
    ConfirmEmail,
    ConfirmReset,
    RequestReset,
)
from gateway.sessions.service import Door
from gateway.settings import Settings


class PersonController(Controller):
    """The calling person. What holds a password is not kept for an `Idempotency-Key`."""

    path = "/person"
    dependencies = {"door": provide_door}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires(unfinished=True)])
    async def show(self, call: Call, door: Door) -> UserDocument:
        """Show oneself."""
        return user_document(await Room(door, call.actor).person())

    @patch("/", guards=[requires()])
    async def change(self, call: Call, settings: Settings, data: ChangeProfile) -> UserDocument:
        """Change one's user name or telephone number."""
        _ = call.actor.session
        async with call.transaction() as session:
            desk = desk_of(call, session, settings)
            return await service.change_profile(desk, given(data))

    @post("/password", guards=[requires(step_up=True)], status_code=200)
    async def password(self, call: Call, door: Door, data: ChangePassword) -> UserDocument:
        """Set a new password; every other session ends."""
        room = Room(door, call.actor)
        changed = await credentials.change_password(
            room, data.current_password, data.new_password
        )
        return user_document(changed)

    @post("/email", guards=[requires(step_up=True)], status_code=202)
    async def email(self, call: Call, door: Door, data: ChangeEmail) -> DoneDocument:
        """Ask for another e-mail address: a proof goes there, and counts for one day."""
        await credentials.change_email(Room(door, call.actor), data.password, data.email)
        return done("email_change")

    @post("/email_proof", guards=[requires()], status_code=202)
    async def email_proof(self, call: Call, door: Door) -> DoneDocument:
        """Have the proof of one's present address sent once more."""
        await credentials.prove_email(Room(door, call.actor))
        return done("email_proof")


class DoorController(Controller):
    """What is open to people without a session. Every refusal of a token is the same."""

    path = "/"
    dependencies = {"door": provide_door}  # noqa: RUF012 - Litestar reads it from the class

    @post("/invitations/accept")
    async def accept(self, door: Door, data: AcceptInvitation) -> UserDocument:
        """Become the user that an invitation asks for; signing in is the next step."""
        who = Newcomer(data.token, data.password, data.username, data.phone)
        return await accept_invitation(door, who)

    @post("/email_proofs/confirm", status_code=200)
    async def confirm_email(self, door: Door, data: ConfirmEmail) -> DoneDocument:
        """Prove an e-mail address by the token that was sent there."""
        await credentials.confirm_email(door, data.token)
        return done("email_proof")

    @post("/password_resets", status_code=202, opt={"refusals": (429,)})
    async def reset(self, door: Door, data: RequestReset) -> Response[DoneDocument]:
        """Have a reset sent. The answer comes first: it cannot tell whether there is an account."""
        await credentials.admit_mail(door, data.email)
        later = BackgroundTask(credentials.send_reset, door, data.email)
        return Response(done("password_reset"), background=later)

    @post("/password_resets/confirm", status_code=200)
    async def confirm_reset(self, door: Door, data: ConfirmReset) -> DoneDocument:
        """Set a new password by the token that was sent; every session ends."""
        await credentials.confirm_reset(door, data.token, data.password)
        return done("password_reset")
