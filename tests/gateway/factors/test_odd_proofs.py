"""Proofs as nobody means them: side by side, under another pepper, too long, through a proxy's door."""

import asyncio

import pytest
from sqlalchemy import text

from devnet.system.waiting import until
from gateway.factors.secrets import FactorSecrets
from tests.gateway.conftest import TestApi
from tests.gateway.factors.authenticator import Authenticator
from tests.gateway.factors.people import PASSWORD, mails, person
from tests.gateway.http.test_problems import assert_problem

pytestmark = pytest.mark.anyio


async def test_guesses_side_by_side_do_not_step_over_the_warning(api: TestApi) -> None:
    """Five at once are five, however they are interleaved: the person has one letter."""
    ann = await person(api)
    await ann.set_up_app()
    stranger = await ann.beside()
    before = len(await mails(api, ann.email))

    async def all_wait() -> bool | None:
        [row] = await api.rows("SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted")
        return row.waiting >= 5 or None

    async with api.owner.unit_of_work(None) as session:
        await session.execute(text("LOCK TABLE audit_log IN SHARE MODE"))
        guesses = asyncio.gather(*(stranger.show("totp", code="000000") for _ in range(5)))
        await until(all_wait, "five guesses to wait")
    assert {answer.status_code for answer in await guesses} == {422}
    [letter] = (await mails(api, ann.email))[before:]
    assert "change your password" in letter


async def test_an_app_that_was_sealed_under_another_pepper_proves_nothing(api: TestApi) -> None:
    """It is a wrong proof and no fault of the house; a recovery code of that time neither."""
    ann = await person(api)
    await ann.set_up_app()
    foreign = FactorSecrets("another pepper").close(
        "A" * 32, ann.id, api.clock.random.randbytes
    )
    await api.rows("UPDATE totp SET secret = :sealed WHERE user_id = :id RETURNING 1",
                   sealed=foreign, id=ann.id)  # fmt: skip
    assert_problem(await ann.show("totp", code=ann.next_code()), 422, "wrong_proof", "/proof")
    await ann.ok("POST", "/v1/factors/totp")
    await api.rows("UPDATE totp SET offered = :sealed WHERE user_id = :id RETURNING 1",
                   sealed=foreign, id=ann.id)  # fmt: skip
    refused = await ann.call("POST", "/v1/factors/totp/confirm", {"code": "123456"})
    assert_problem(refused, 422, "wrong_code", "/code")


async def test_a_credential_id_has_at_most_1023_bytes(api: TestApi) -> None:
    """A longer one is no passkey (WebAuthn 7.1), and the database would refuse it."""
    ann = await person(api)
    await ann.step_up()
    long = Authenticator(credential_id=bytes(1024))
    assert_problem(
        await ann.add(long.create(await ann.creation())), 422, "passkey_refused", "/credential"
    )
    await ann.set_up_passkey(Authenticator(credential_id=bytes(1023)))


async def test_a_cookie_stays_a_cookie_behind_a_door_with_a_password(api: TestApi) -> None:
    """A proxy's own `Authorization` does not bring the token to where a script could read it."""
    ann = await person(api)
    headers = {
        "Cookie": f"__Host-session={ann.token}",
        "Origin": "http://127.0.0.1:8080",
        "Authorization": "Basic dXNlcjpwYXNz",
    }
    body = {"proof": {"kind": "password", "password": PASSWORD}}
    path = "/v1/sessions/current/step_up"
    answer = await api.call("POST", path, headers=headers, json=body)
    assert (answer.status_code, answer.json()["token"]) == (200, None)
    assert "__Host-session=gws_" in answer.headers["set-cookie"]
