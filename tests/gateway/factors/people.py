"""People who are signed in, and their phones: an authenticator app and passkeys."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pyotp
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from gateway.sessions import tokens
from tests.gateway.conftest import TestApi
from tests.gateway.factors.authenticator import Authenticator

PASSWORD = "correct horse battery"
STEP = timedelta(seconds=30)


@dataclass
class Person:
    """Somebody with one session; the token changes as the session is stepped up."""

    api: TestApi
    id: str
    merchant_id: str | None
    email: str
    token: str = ""
    session_id: str = ""
    app: pyotp.TOTP | None = None
    spare: list[str] = field(default_factory=list)
    """Recovery codes."""

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask something in the session."""
        more = {} if body is None else {"json": body}
        return await self.api.call(method, path, self.token, **more)

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Ask something that must succeed; return the document."""
        answer = await self.call(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def sign_in(self) -> None:
        """Open a session as a sign-in does, without the cost of a password."""
        api = self.api
        self.token = tokens.new_token(tokens.SESSION, api.clock.random.randbytes(32))
        self.session_id = api.clock().id("ses")
        await api.rows(
            "SELECT open_session(:id, id, :hash, password_hash, false, '127.0.0.1', 'test', :now,"
            " :ends) FROM users WHERE id = :person",
            id=self.session_id,
            person=self.id,
            hash=tokens.hashed(self.token),
            now=api.clock.at,
            ends=api.clock.at + timedelta(hours=12),
        )

    async def beside(self) -> "Person":
        """Return the same person in a second session."""
        other = Person(self.api, self.id, self.merchant_id, self.email, app=self.app)
        await other.sign_in()
        return other

    async def show(self, kind: str, **proof: Any) -> httpx.Response:
        """Show a proof; where it holds, go on with the new token."""
        body = {"proof": {"kind": kind, **proof}}
        answer = await self.call("POST", "/v1/sessions/current/step_up", body)
        if answer.is_success:
            self.token = answer.json()["token"]
        return answer

    async def step_up(self) -> None:
        """Step up with the password, or with the next code of the app."""
        if self.app is None:
            answer = await self.show("password", password=PASSWORD)
        else:
            answer = await self.show("totp", code=self.next_code())
        assert answer.is_success, answer.text

    def next_code(self) -> str:
        """Wait for the next step and return its code."""
        assert self.app is not None
        self.api.clock.at += STEP
        return self.app.at(self.api.clock.at)

    async def set_up_app(self) -> None:
        """Set up an authenticator app."""
        await self.step_up()
        offer = await self.ok("POST", "/v1/factors/totp")
        self.app = pyotp.TOTP(offer["secret"])
        code = {"code": self.next_code()}
        made = await self.ok("POST", "/v1/factors/totp/confirm", code)
        self.spare = made["recovery_codes"] or self.spare

    async def creation(self) -> dict[str, Any]:
        """Return what a browser is asked to make."""
        options = await self.ok("POST", "/v1/factors/passkeys/options")
        return dict(options["public_key"])

    async def add(self, credential: dict[str, Any], name: str = "phone") -> httpx.Response:
        """Hand over a new passkey."""
        body = {"name": name, "credential": credential}
        return await self.call("POST", "/v1/factors/passkeys", body)

    async def set_up_passkey(self, device: Authenticator) -> str:
        """Add a passkey; return its id."""
        answer = await self.add(device.create(await self.creation()))
        assert answer.is_success, answer.text
        self.spare = answer.json()["recovery_codes"] or self.spare
        return str(answer.json()["passkeys"][-1]["id"])

    async def request(self) -> dict[str, Any]:
        """Return what a browser is asked to sign."""
        challenge = await self.ok("POST", "/v1/sessions/current/challenge")
        return dict(challenge["public_key"])

    async def sign(self, device: Authenticator) -> httpx.Response:
        """Step up with a passkey."""
        return await self.show("passkey", credential=device.get(await self.request()))


async def person(
    api: TestApi, role: str = "MERCHANT", merchant_id: str | None = None
) -> Person:
    """Make a person who is signed in: an owner of a merchant, or one of the house."""
    if role == "MERCHANT" and merchant_id is None:
        merchant_id = await api.merchant()
    user_id = api.clock().id("usr")
    email = f"{user_id}@example.com"
    phc = Argon2id(
        salt=bytes(16), length=32, iterations=1, lanes=1, memory_cost=8
    ).derive_phc_encoded(PASSWORD.encode())
    await api.rows(
        "INSERT INTO users (id, merchant_id, email, role, team_role, password_hash, created_at)"
        " VALUES (:id, :merchant_id, :email, :role, :team_role, :phc, :at) RETURNING id",
        id=user_id,
        merchant_id=merchant_id,
        email=email,
        role=role,
        team_role="owner" if role == "MERCHANT" else None,
        phc=phc,
        at=api.clock.at,
    )
    made = Person(api, user_id, merchant_id, email)
    await made.sign_in()
    return made


async def mails(api: TestApi, recipient: str) -> list[str]:
    """Return what somebody was written, oldest first."""
    query = "SELECT body FROM notification WHERE recipient = :to ORDER BY id"
    return [row.body for row in await api.rows(query, to=recipient)]


async def deeds(api: TestApi, actor: str) -> list[str]:
    """Return what somebody did, oldest first."""
    query = "SELECT action FROM audit_log WHERE actor = :actor ORDER BY id"
    return [row.action for row in await api.rows(query, actor=actor)]
