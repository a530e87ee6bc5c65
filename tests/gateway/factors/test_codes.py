"""Codes of an app, recovery codes, and what a session may do before and after them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.conftest import TestApi
from tests.gateway.factors.people import PASSWORD, STEP, Person, deeds, mails, person
from tests.gateway.http.test_problems import assert_problem

pytestmark = pytest.mark.anyio

CONFIRM = "/v1/factors/totp/confirm"


async def test_an_app_is_set_up_by_a_code_of_it(api: TestApi) -> None:
    """Stepped up first; a wrong or late code puts nothing in force; recovery codes are shown once."""
    ann = await person(api)
    assert_problem(await ann.call("POST", "/v1/factors/totp"), 403, "step_up_required")
    before = ann.token
    await ann.step_up()
    assert (await api.call("GET", "/v1/factors", before)).status_code == 401
    assert_problem(await ann.call("POST", CONFIRM, {"code": "123456"}), 409, "totp_not_offered")
    offer = await ann.ok("POST", "/v1/factors/totp")
    assert offer["otpauth_uri"].startswith("otpauth://totp/Cryptic%20Gateway:usr_")
    answer = await ann.call("POST", CONFIRM, {"code": "000000"})
    assert_problem(answer, 422, "wrong_code", "/code")
    assert (await ann.ok("GET", "/v1/factors"))["totp_confirmed_at"] is None
    await ann.set_up_app()
    assert len(set(ann.spare)) == 10
    shown = await ann.ok("GET", "/v1/factors")
    assert shown["recovery_codes"] is None
    assert (shown["totp_confirmed_at"] is None, shown["recovery_codes_left"]) == (False, 10)
    assert "set up" in (await mails(api, ann.email))[0]
    assert {"totp.confirmed", "recovery_codes.made"} <= set(await deeds(api, ann.id))


async def test_an_offer_is_over_after_ten_minutes_and_the_old_app_works_until_the_new_one(
    api: TestApi,
) -> None:
    """Changing the phone leaves no gap."""
    ann = await person(api)
    await ann.set_up_app()
    old = ann.app
    await ann.step_up()
    await ann.ok("POST", "/v1/factors/totp")
    api.clock.at += timedelta(minutes=4, seconds=30)
    await ann.step_up()
    api.clock.at += timedelta(minutes=4, seconds=30)
    await ann.step_up()
    api.clock.at += timedelta(minutes=1)
    answer = await ann.call("POST", CONFIRM, {"code": "123456"})
    assert_problem(answer, 409, "totp_not_offered")
    await ann.set_up_app()
    assert ann.app != old
    ann.app, new = old, ann.app
    assert_problem(await ann.show("totp", code=ann.next_code()), 422, "wrong_proof", "/proof")
    ann.app = new
    await ann.step_up()


async def test_until_the_factor_is_shown_a_session_may_do_nothing_else(api: TestApi) -> None:
    """Not even with the password; sessions from before the factor have ended."""
    ann = await person(api)
    older = await ann.beside()
    await ann.set_up_app()
    assert (await older.call("GET", "/v1/factors")).status_code == 401
    fresh = await ann.beside()
    for method, path in (
        ("GET", "/v1/factors"),
        ("GET", "/v1/sessions"),
        ("GET", "/v1/invoices"),
        ("POST", "/v1/factors/recovery_codes"),
        ("POST", "/v1/factors/passkeys/options"),
    ):
        assert_problem(await fresh.call(method, path), 403, "second_factor_required")
    answer = await fresh.show("password", password=PASSWORD)
    assert_problem(answer, 422, "factor_needed", "/proof/kind")
    challenge = await fresh.ok("POST", "/v1/sessions/current/challenge")
    assert (challenge["kinds"], challenge["public_key"]) == (["totp", "recovery_code"], None)
    answer = await fresh.show("totp", code=fresh.next_code())
    assert answer.json()["second_factor"] == "passed"
    assert (await fresh.call("GET", "/v1/invoices")).status_code == 200
    assert (await fresh.call("DELETE", "/v1/sessions/current")).status_code == 200


async def test_a_code_counts_once_and_none_before_it(api: TestApi) -> None:
    """The one that set the app up does not count either."""
    ann = await person(api)
    await ann.set_up_app()
    assert ann.app is not None
    code = ann.app.at(api.clock.at)
    assert_problem(await ann.show("totp", code=code), 422, "wrong_proof", "/proof")
    ahead = ann.app.at(api.clock.at + STEP)
    assert (await ann.show("totp", code=ahead)).status_code == 200
    for used in (code, ahead):
        assert_problem(await ann.show("totp", code=used), 422, "wrong_proof", "/proof")


async def test_a_colleague_who_repeats_a_request_gets_an_answer_of_their_own(
    api: TestApi,
) -> None:
    """An `Idempotency-Key` is no secret: what was shown to one person is shown to no other."""
    ann = await person(api)
    bob = await person(api, merchant_id=ann.merchant_id)
    same = {"Idempotency-Key": "1"}

    async def posted(who: Person, path: str) -> Any:
        answer = await api.call("POST", path, who.token, headers=same)
        assert answer.is_success, answer.text
        return answer.json()

    for each in (ann, bob):
        await each.step_up()
    path = "/v1/factors/totp"
    offers = [await posted(each, path) for each in (ann, bob, ann)]
    assert offers[0] == offers[2]
    assert offers[0]["secret"] != offers[1]["secret"]
    for each in (ann, bob):
        await each.set_up_app()
        await each.step_up()
    path = "/v1/factors/recovery_codes"
    codes = [set((await posted(each, path))["recovery_codes"]) for each in (ann, bob)]
    assert not codes[0] & codes[1]
    await ann.beside()
    path = "/v1/sessions/revoke_others"
    ended = [(await posted(each, path))["ended"] for each in (bob, ann)]
    assert ended == [0, 1]


async def test_the_same_code_sent_many_times_at_once_counts_once(api: TestApi) -> None:
    """From different sessions, in the same instant; a recovery code likewise."""
    ann = await person(api)
    await ann.set_up_app()
    for kind in ("totp", "recovery_code"):
        api.clock.at += timedelta(hours=2)
        secret = ann.next_code() if kind == "totp" else ann.spare[0]
        sessions = [await ann.beside() for _ in range(5)]
        answers = await asyncio.gather(*(each.show(kind, code=secret) for each in sessions))
        told = [answer.status_code for answer in answers]
        assert told.count(200) == 1
        assert set(told) <= {200, 422, 429}


async def test_recovery_codes_count_once_each_and_only_the_last_ten(api: TestApi) -> None:
    """Typed carelessly; another person's count nothing; the person has mail of each use."""
    ann, bob = await person(api), await person(api)
    await ann.set_up_app()
    await bob.set_up_app()
    assert_problem(
        await bob.show("recovery_code", code=ann.spare[0]), 422, "wrong_proof", "/proof"
    )
    typed = ann.spare[0].upper().replace("-", " ")
    assert (await ann.show("recovery_code", code=typed)).status_code == 200
    assert (await mails(api, ann.email))[-1].startswith(
        "A recovery code of your account was used; 9 are left."
    )
    assert_problem(
        await ann.show("recovery_code", code=ann.spare[0]), 422, "wrong_proof", "/proof"
    )
    made = await ann.ok("POST", "/v1/factors/recovery_codes")
    assert made["recovery_codes_left"] == 10
    assert_problem(
        await ann.show("recovery_code", code=ann.spare[1]), 422, "wrong_proof", "/proof"
    )
    assert (await ann.show("recovery_code", code=made["recovery_codes"][9])).status_code == 200


async def test_with_the_last_factor_go_the_recovery_codes(api: TestApi) -> None:
    """Removing it takes a step-up; then the password is the proof again."""
    ann = await person(api)
    assert_problem(
        await ann.call("POST", "/v1/factors/recovery_codes"), 403, "step_up_required"
    )
    await ann.step_up()
    answer = await ann.call("POST", "/v1/factors/recovery_codes")
    assert_problem(answer, 409, "no_second_factor")
    await ann.set_up_app()
    api.clock.at += timedelta(minutes=5)
    assert_problem(await ann.call("DELETE", "/v1/factors/totp"), 403, "step_up_required")
    await ann.step_up()
    left = await ann.ok("DELETE", "/v1/factors/totp")
    assert (left["totp_confirmed_at"], left["recovery_codes_left"]) == (None, 0)
    assert_problem(await ann.call("DELETE", "/v1/factors/totp"), 404, "not_found")
    assert "removed" in (await mails(api, ann.email))[-1]
    api.clock.at += timedelta(hours=1)
    ann.app = None
    await ann.sign_in()
    await ann.step_up()


async def test_guesses_wait_longer_and_longer_and_nobody_is_locked_out(api: TestApi) -> None:
    """Five are free, from whatever session; then the right code waits too, and still opens.

    The person has one letter of it.
    """
    ann = await person(api)
    await ann.set_up_app()
    api.clock.at += timedelta(hours=2)
    sessions = [await ann.beside() for _ in range(3)]
    for number in range(6):
        wrong = await sessions[number % 3].show("totp", code="000000")
        assert_problem(wrong, 422, "wrong_proof", "/proof")
    letters = [mail for mail in await mails(api, ann.email) if "your password" in mail]
    assert len(letters) == 1
    for kind, code in (("totp", ann.next_code()), ("recovery_code", ann.spare[0])):
        api.clock.at -= STEP if kind == "totp" else timedelta(0)
        answer = await sessions[0].show(kind, code=code)
        assert_problem(answer, 429, "attempts_delayed")
        assert answer.headers["retry-after"] == "1"
    api.clock.at += timedelta(seconds=2)
    assert_problem(await sessions[0].show("totp", code="000000"), 422, "wrong_proof", "/proof")
    assert (await sessions[0].show("totp", code="000000")).headers["retry-after"] == "2"
    api.clock.at += timedelta(seconds=2)
    assert (await sessions[0].show("recovery_code", code=ann.spare[0])).status_code == 200
    assert_problem(await sessions[1].show("totp", code="000000"), 422, "wrong_proof", "/proof")
    assert (await deeds(api, ann.id)).count("session.proof_refused") == 8


async def test_a_wrong_password_proves_nothing(api: TestApi) -> None:
    """And it waits like one at the door."""
    ann = await person(api)
    for _ in range(6):
        answer = await ann.show("password", password="wrong")
        assert_problem(answer, 422, "wrong_proof", "/proof")
    answer = await ann.show("password", password=PASSWORD)
    assert_problem(answer, 429, "attempts_delayed")
    api.clock.at += timedelta(seconds=2)
    await ann.step_up()


async def test_what_is_not_a_proof_is_pointed_at(api: TestApi) -> None:
    """Kinds and shapes; keys have no factors at all."""
    ann = await person(api)
    for proof, pointer in (
        ({"kind": "totp", "code": "12345"}, "/proof/code"),
        ({"kind": "totp", "code": "12345\n"}, "/proof/code"),
        ({"kind": "totp", "code": "\u0661\u0662\u0663\u0664\u0665\u0666"}, "/proof/code"),
        ({"kind": "smoke"}, "/proof/kind"),
        ({"kind": "password", "password": "x", "code": "1"}, "/proof/code"),
    ):
        answer = await ann.call("POST", "/v1/sessions/current/step_up", {"proof": proof})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    _, key = await api.merchant_and_key()
    assert_problem(await api.call("GET", "/v1/factors", key), 403, "session_required")
    body = {"proof": {"kind": "password", "password": "x"}}
    answer = await api.call("POST", "/v1/sessions/current/step_up", key, json=body)
    assert_problem(answer, 403, "session_required")
