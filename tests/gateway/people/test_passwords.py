"""Passwords: how they are kept, which are refused, how they change and are set anew."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import msgspec
import pytest

from gateway.domain.errors import Invalid, Unavailable
from gateway.domain.password import require_strong
from gateway.sessions.passwords import WAITING_MAX, Passwords
from gateway.settings import PeopleSettings
from tests.gateway.people.conftest import CHEAP, PASSWORD, People

T = TypeVar("T")
NEW = "seven slow violet herons"
NAMES = ["maria.lopez@shop.example", "marialopez"]


@pytest.mark.parametrize(
    "weak",
    [
        "short", "aaaaaaaaaaaaaaa", "abababababababab", "abcdefghijklmnop", "123456789012345",
        "qwertyuiopasdf", "password1234", "P@ssw0rd2024!", "Welcome-2026-Welcome",
        "correcthorsebatterystaple", "maria.lopez.2026", "marialopezshop1", "tr0ub4tr0ub4tr0ub4",
        "x" * 257,
    ],
)  # fmt: skip
def test_what_is_easy_to_guess_is_refused(weak: str) -> None:
    """Short, repeated, a row of keys, common words however spelled, one's own names."""
    with pytest.raises(Invalid) as refused:
        require_strong("/password", weak, NAMES)
    assert refused.value.code in {"password_length", "password_weak"}
    assert refused.value.faults[0].pointer == "/password"


@pytest.mark.parametrize(
    "good", [PASSWORD, NEW, "fT7#kq0vLw2z", "gélatine à la rhubarbe", "пять медленных цапель"]
)
def test_what_is_hard_to_guess_passes(good: str) -> None:
    """No rule about kinds of characters: length and surprise are what counts."""
    assert require_strong("/password", good, NAMES)


def test_the_same_letters_are_the_same_password() -> None:
    """A composed and a decomposed accent are one key to whoever types them."""
    first = require_strong("/password", "gélatine rhubarbe", [])
    assert require_strong("/password", "ge\u0301latine rhubarbe", []) == first


@pytest.mark.anyio
async def test_hashes_are_argon2id_at_the_configured_cost() -> None:
    """64 MiB, 3 rounds, 1 lane unless configured; a salt of its own each time."""
    passwords = Passwords(PeopleSettings())
    phc = await passwords.hashed(PASSWORD, bytes(range(16)))
    assert phc.startswith("$argon2id$v=19$m=65536,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$")
    salt = phc.rpartition("$")[0] + "$"
    assert await passwords.shown(PASSWORD, salt) == phc
    assert await Passwords(CHEAP).shown(PASSWORD, salt) == phc
    assert await passwords.shown(PASSWORD + "x", salt) != phc
    assert not passwords.is_outdated(phc)
    assert Passwords(CHEAP).is_outdated(phc)


class Counted(Passwords):
    """Passwords that count how often they are put to work."""

    work = 0

    async def _aside(self, work: Callable[[], T]) -> T:
        self.work += 1
        return await super()._aside(work)


@pytest.mark.anyio
async def test_an_unknown_name_costs_the_same_work() -> None:
    """Without a hash to compare, one is made all the same."""
    passwords = Counted(CHEAP)
    phc = await passwords.hashed(PASSWORD, bytes(16))
    assert await passwords.shown("wrong wrong wrong", phc.rpartition("$")[0] + "$") != phc
    assert await passwords.shown("wrong wrong wrong", None) != phc
    assert passwords.work == 3


@pytest.mark.anyio
async def test_only_so_many_are_hashed_at_once() -> None:
    """The queue is bounded, and the loop goes on meanwhile."""
    passwords = Passwords(PeopleSettings(argon2_memory_kib=1024, hashing_at_once=1))
    tries = [passwords.shown(PASSWORD, None) for _ in range(WAITING_MAX + 1)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in answers].count(Unavailable) == 1
    assert [type(each) for each in answers].count(str) == WAITING_MAX


@pytest.mark.anyio
async def test_signing_in_renews_a_hash_of_another_cost(people: People) -> None:
    """The stored hash follows the configuration; the password stays."""
    await people.admin()
    stored = "SELECT password_hash FROM users"
    [cheap] = await people.rows(stored)
    costly = msgspec.structs.replace(CHEAP, argon2_memory_kib=128)
    settings = msgspec.structs.replace(people.settings, people=costly)
    async with people.beside(settings) as other:
        await other.signed_in("root@house.example")
        [renewed] = await people.rows(stored)
        assert "m=64," in cheap.password_hash
        assert "m=128," in renewed.password_hash
        await other.signed_in("root@house.example")
        assert await people.rows(stored) == [renewed]


@pytest.mark.anyio
async def test_a_changed_password_ends_every_other_session(people: People) -> None:
    """The old one must be known; the person is told; open resets die."""
    token = await people.admin()
    other = await people.signed_in("root@house.example")
    await people.call("POST", "/v1/password_resets", json={"email": "root@house.example"})
    reset = await people.mailed("root@house.example")
    path = "/v1/person/password"
    body = {"current_password": "not the one at all", "new_password": NEW}
    wrong = await people.call("POST", path, token, json=body)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_password")
    assert wrong.json()["errors"][0]["pointer"] == "/current_password"
    weak = {"current_password": PASSWORD, "new_password": "root@house.example"}
    answer = await people.call("POST", path, token, json=weak)
    assert answer.json()["errors"][0]["pointer"] == "/new_password"
    good = {"current_password": PASSWORD, "new_password": NEW}
    assert (await people.call("POST", path, token, json=good)).status_code == 200
    assert (await people.call("GET", "/v1/person", other)).status_code == 401
    assert (await people.call("GET", "/v1/person", token)).status_code == 200
    assert (await people.sign_in("root@house.example")).status_code == 401
    await people.signed_in("root@house.example", NEW)
    confirmed = await people.call(
        "POST", "/v1/password_resets/confirm", json={"token": reset, "password": PASSWORD}
    )
    assert confirmed.json()["code"] == "invalid_token"
    assert (
        "password of your account was changed"
        in (await people.letters("root@house.example"))[-1]
    )


@pytest.mark.anyio
@pytest.mark.parametrize("anew", ["changed", "reset"])
async def test_a_new_password_ends_every_move_to_another_address(
    people: People, anew: str
) -> None:
    """Whoever was in for a minute does not take the account over afterwards by a letter."""
    email, mallory = "root@house.example", "mallory@evil.example"
    token = await people.admin()
    move = {"email": mallory, "password": PASSWORD}
    assert (await people.call("POST", "/v1/person/email", token, json=move)).status_code == 202
    if anew == "changed":
        body = {"current_password": PASSWORD, "new_password": NEW}
        answer = await people.call("POST", "/v1/person/password", token, json=body)
    else:
        await people.call("POST", "/v1/password_resets", json={"email": email})
        body = {"token": await people.mailed(email), "password": NEW}
        answer = await people.call("POST", "/v1/password_resets/confirm", json=body)
    assert answer.status_code == 200
    proof = {"token": await people.mailed(mallory)}
    answer = await people.call("POST", "/v1/email_proofs/confirm", json=proof)
    assert answer.json()["code"] == "invalid_token"
    assert (await people.me(await people.signed_in(email, NEW)))["email"] == email


@pytest.mark.anyio
async def test_a_reset_goes_to_the_mailbox_counts_once_and_ends_every_session(
    people: People,
) -> None:
    """The answer is the same for anybody; the token is a hash in the database, for one hour."""
    token = await people.admin()
    asked = [
        await people.call("POST", "/v1/password_resets", json={"email": email})
        for email in ("nobody@house.example", "ROOT@house.example")
    ]
    assert {(a.status_code, a.text) for a in asked} == {
        (202, '{"object":"password_reset","status":"accepted"}')
    }
    assert await people.rows("SELECT 1 FROM notification WHERE recipient LIKE 'nobody%'") == []
    reset = await people.mailed("root@house.example")
    confirm = "/v1/password_resets/confirm"
    weak = await people.call("POST", confirm, json={"token": reset, "password": "password1234"})
    assert weak.json()["errors"][0]["code"] == "password_weak"
    body = {"token": reset, "password": NEW}
    assert (await people.call("POST", confirm, json=body)).status_code == 200
    assert (await people.call("GET", "/v1/person", token)).status_code == 401
    again = await people.call("POST", confirm, json=body)
    assert (again.status_code, again.json()["code"]) == (422, "invalid_token")
    await people.signed_in("root@house.example", NEW)
    assert (await people.me(await people.signed_in("root@house.example", NEW)))[
        "email_verified"
    ]

    await people.call("POST", "/v1/password_resets", json={"email": "root@house.example"})
    late = {"token": await people.mailed("root@house.example"), "password": PASSWORD}
    people.clock.at += timedelta(hours=1, seconds=1)
    assert (await people.call("POST", confirm, json=late)).json()["code"] == "invalid_token"


@pytest.mark.anyio
async def test_nobody_fills_a_mailbox_with_resets(people: People) -> None:
    """After five wishes the next waits, whether or not there is such an account."""
    await people.admin()
    for email in ("root@house.example", "nobody@house.example"):
        answers = [
            await people.call("POST", "/v1/password_resets", json={"email": email})
            for _ in range(7)
        ]
        assert [a.status_code for a in answers] == [202] * 6 + [429]


@pytest.mark.anyio
async def test_nobody_writes_to_the_whole_world_by_moving(people: People) -> None:
    """Each wish sends a letter to whatever mailbox was named: they are counted, and then wait."""
    token = await people.admin()
    answers = [
        await people.call(
            "POST",
            "/v1/person/email",
            token,
            json={"email": f"{number}@world.example", "password": PASSWORD},
        )
        for number in range(7)
    ]
    assert [a.status_code for a in answers] == [202] * 6 + [429]


@pytest.mark.anyio
async def test_another_address_counts_when_its_proof_comes_back(people: People) -> None:
    """Until then the old one stays; somebody else's address is told to its reader alone."""
    token = await people.admin()
    assert (await people.me(token))["email_verified"] is False
    assert (await people.call("POST", "/v1/person/email_proof", token)).status_code == 202
    confirm = "/v1/email_proofs/confirm"
    proof = {"token": await people.mailed("root@house.example")}
    assert (await people.call("POST", confirm, json=proof)).status_code == 200
    assert (await people.me(token))["email_verified"] is True
    letters = len(await people.letters("root@house.example"))
    await people.call("POST", "/v1/person/email_proof", token)
    assert len(await people.letters("root@house.example")) == letters

    body = {"email": "New@house.example", "password": PASSWORD}
    wrong = await people.call(
        "POST", "/v1/person/email", token, json={**body, "password": "wrong wrong wrong"}
    )
    assert wrong.json()["errors"][0] == {
        "pointer": "/password", "code": "wrong_password", "detail": "this is not the password",
    }  # fmt: skip
    assert (await people.call("POST", "/v1/person/email", token, json=body)).status_code == 202
    assert (await people.me(token))["email"] == "root@house.example"
    proof = {"token": await people.mailed("new@house.example")}
    assert (await people.call("POST", confirm, json=proof)).status_code == 200
    assert (await people.me(token))["email"] == "new@house.example"
    assert "another e-mail address" in (await people.letters("root@house.example"))[-1]
    assert (await people.call("POST", confirm, json=proof)).json()["code"] == "invalid_token"

    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    taken = {"email": "NEW@house.example", "password": PASSWORD}
    answer = await people.call("POST", "/v1/person/email", owner, json=taken)
    assert answer.status_code == 202
    proof = {"token": await people.mailed("new@house.example")}
    answer = await people.call("POST", confirm, json=proof)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
