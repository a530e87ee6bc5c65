"""A gateway with people in it: an admin, a merchant with its owner, and everybody's mail."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import text

from gateway.app import create_api
from gateway.catalog.sync import sync_catalog
from gateway.db import Database
from gateway.domain.actor import Actor, SignedIn
from gateway.notifications.outbox import SEALING
from gateway.people.invitations import first_admin
from gateway.sessions import service, tokens
from gateway.settings import PeopleSettings
from tests.conftest import FreshDatabase, TestServer, cloned
from tests.gateway.conftest import ETHEREUM, Clock, TestApi, client_of

PASSWORD = "four quick brown otters"
CHEAP = PeopleSettings(argon2_memory_kib=64, argon2_iterations=1)
"""One guess costs next to nothing here: the tests are about everything else."""


@dataclass
class People(TestApi):
    """The application, and shorthands for what people do."""

    async def admin(self, email: str = "root@house.example") -> str:
        """Make the first admin and return a session token, stepped up."""
        async with self.owner.unit_of_work(None) as session:
            token = await first_admin(
                session, self.clock(), email=email, invited_by="cli:test", days=7
            )
        assert token is not None
        return await self.arrived(token, email)

    async def owner_of(self, merchant_id: str, email: str = "owner@shop.example") -> str:
        """Invite a merchant's first owner, by an operator's key; return a session token."""
        path = f"/v1/merchants/{merchant_id}/invitations"
        body = {"email": email, "team_role": "owner"}
        operator = await self.key(None, livemode=True)
        answer = await self.call("POST", path, operator, json=body)
        assert answer.status_code == 201, answer.text
        return await self.arrived(await self.mailed(email), email)

    async def member(self, owner: str, team_role: str, email: str) -> str:
        """Invite a member to the team; return a session token."""
        body = {"email": email, "team_role": team_role}
        answer = await self.call("POST", "/v1/team/invitations", owner, json=body)
        assert answer.status_code == 201, answer.text
        return await self.arrived(await self.mailed(email), email)

    async def arrived(self, invitation: str, email: str) -> str:
        """Accept an invitation, sign in and step up."""
        body = {"token": invitation, "password": PASSWORD}
        answer = await self.call("POST", "/v1/invitations/accept", json=body)
        assert answer.status_code == 201, answer.text
        return await self.stepped_up(await self.signed_in(email))

    async def signed_in(self, email: str, password: str = PASSWORD, **fields: Any) -> str:
        """Sign in and return the token."""
        answer = await self.sign_in(email, password, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    async def sign_in(
        self, email: str, password: str = PASSWORD, **fields: Any
    ) -> httpx.Response:
        """Knock at the door."""
        body = {"email": email, "password": password, **fields}
        return await self.call("POST", "/v1/sessions", json=body)

    async def stepped_up(self, token: str) -> str:
        """Let a session have shown a factor, as the factors' room does; return its new token."""
        me = (await self.call("GET", "/v1/person", token)).json()
        session_id = (await self.call("GET", "/v1/sessions", token)).json()["data"][0]["id"]
        signed_in = SignedIn(
            session_id,
            tokens.hashed(token),
            me["role"],
            factor_pending=False,
            stepped_up_at=None,
        )
        actor = Actor(
            me["id"], me["merchant_id"], frozenset(), livemode=False, signed_in=signed_in
        )
        async with self.database.unit_of_work(me["merchant_id"] or me["id"]) as session:
            document = await service.step_up(session, actor, self.clock(), factor="test")
        assert document.token is not None
        return document.token

    async def letters(self, email: str) -> list[str]:
        """Return the bodies of what was sent to an address, oldest first."""
        rows = await self.rows(
            "SELECT id, body, sealed FROM notification WHERE recipient = :email ORDER BY id",
            email=email,
        )
        sealing = self.database.info[SEALING]
        return [row.body or sealing.open(row.sealed, row.id) for row in rows]

    async def mailed(self, email: str) -> str:
        """Return the token of the newest letter to an address."""
        found = re.search(r"gw[pi]_[\w-]{43}", (await self.letters(email))[-1])
        assert found is not None
        return found.group()

    async def me(self, token: str) -> dict[str, Any]:
        """Return the person of a session."""
        answer = await self.call("GET", "/v1/person", token)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def shared(database_server: TestServer) -> Iterator[FreshDatabase]:
    """Clone the template once for a module."""
    with cloned(database_server) as database:
        yield database


@pytest.fixture
async def people(house: People) -> People:
    """Empty the house: nobody is in it, no mail, no merchant of before is in the way."""
    async with house.owner.unit_of_work(None) as session:
        await session.execute(
            text(
                "TRUNCATE users, invitation, one_time_token, notification, sign_in_attempt CASCADE"
            )
        )
    house.client.cookies.clear()
    return house


@pytest.fixture(scope="module")
async def house(shared: FreshDatabase) -> AsyncIterator[People]:
    """Serve the real application with cheap passwords, once for a module."""
    settings = msgspec.structs.replace(
        shared.settings, networks={"ethereum": ETHEREUM}, people=CHEAP
    )
    as_api = Database(shared.url("api"), pool_size=8)
    as_owner = Database(shared.url("owner"), pool_size=2)
    async with as_owner.unit_of_work(None) as session:
        await sync_catalog(session, settings)
    clock = Clock()
    made = create_api(settings, as_api, clock)
    async with client_of(made) as client:
        yield People(made, client, settings, as_api, as_owner, clock)
    await as_api.aclose()
    await as_owner.aclose()
