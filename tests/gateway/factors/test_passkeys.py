"""Passkeys over HTTP: made, used, and what a thief of anything but the key gets."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.conftest import TestApi
from tests.gateway.factors.authenticator import (
    PRESENT,
    Authenticator,
    base64url,
    ed25519,
    es256,
)
from tests.gateway.factors.people import Person, deeds, mails, person
from tests.gateway.http.test_problems import assert_problem

pytestmark = pytest.mark.anyio


async def stepped_up(api: TestApi) -> Person:
    """Return somebody without a factor who gave the password just now."""
    made = await person(api)
    await made.step_up()
    return made


async def test_a_passkey_opens_what_a_password_alone_does_not(api: TestApi) -> None:
    """Both kinds of keys, several per person, named, renamed, removed; each change is mailed."""
    ann = await stepped_up(api)
    older = await ann.beside()
    phone = Authenticator(key=es256(), credential_id=b"phone", count=1)
    stick = Authenticator(key=ed25519(), credential_id=b"stick")
    phone_id = await ann.set_up_passkey(phone)
    assert len(ann.spare) == 10
    assert (await older.call("GET", "/v1/factors")).status_code == 401
    options = await ann.creation()
    assert [each["id"] for each in options["excludeCredentials"]] == [base64url(b"phone")]
    answer = await ann.add(stick.create(options), "stick")
    assert answer.json()["recovery_codes"] is None
    fresh = await ann.beside()
    assert_problem(await fresh.call("GET", "/v1/factors"), 403, "second_factor_required")
    for device in (replace(phone, count=2), stick, stick):
        assert (await fresh.sign(device)).status_code == 200
    shown = await fresh.ok("GET", "/v1/factors")
    assert [each["name"] for each in shown["passkeys"]] == ["phone", "stick"]
    assert shown["passkeys"][0]["last_used_at"] is not None
    path = f"/v1/factors/passkeys/{phone_id}"
    renamed = await fresh.ok("PATCH", path, {"name": "old phone"})
    assert renamed["passkeys"][0]["name"] == "old phone"
    await fresh.ok("DELETE", path)
    refused = await fresh.sign(replace(phone, count=3))
    assert_problem(refused, 422, "wrong_proof", "/proof")
    assert len(await mails(api, ann.email)) == 4
    for action in ("passkey.added", "passkey.renamed", "passkey.removed"):
        assert action in await deeds(api, ann.id)


Change = Callable[[Authenticator], Authenticator]
WRONG: dict[str, Change] = {
    "another origin": lambda device: replace(device, origin="https://evil.example"),
    "another site": lambda device: replace(device, rp_id="evil.example"),
    "nobody verified": lambda device: replace(device, flags=PRESENT),
}


async def test_what_another_page_or_nobody_made_is_refused(api: TestApi) -> None:
    """Neither a new passkey nor a proof."""
    ann = await stepped_up(api)
    device = Authenticator()
    for change in WRONG.values():
        answer = await ann.add(change(device).create(await ann.creation()))
        assert_problem(answer, 422, "passkey_refused", "/credential")
    assert (await ann.ok("GET", "/v1/factors"))["passkeys"] == []
    await ann.set_up_passkey(device)
    for change in WRONG.values():
        assert_problem(await ann.sign(change(device)), 422, "wrong_proof", "/proof")
    assert (await ann.sign(device)).status_code == 200


async def test_a_challenge_counts_once_in_its_session_for_five_minutes(api: TestApi) -> None:
    """Also when what was signed over it was wrong."""
    ann = await stepped_up(api)
    device = Authenticator()
    made = device.create(await ann.creation())
    assert (await ann.add(made)).status_code == 201
    assert_problem(await ann.add(made), 409, "challenge_over")

    async def refused(session: Person, credential: dict[str, Any]) -> None:
        answer = await session.show("passkey", credential=credential)
        assert_problem(answer, 422, "wrong_proof", "/proof")

    await refused(ann, device.get({"challenge": base64url(bytes(32))}))
    asked = await ann.request()
    await refused(ann, replace(device, key=es256(99)).get(asked))
    await refused(ann, device.get(asked))
    first = await ann.request()
    second = await ann.request()
    await refused(ann, device.get(first))
    asked = await ann.request()
    other = await ann.beside()
    await other.request()
    await refused(other, device.get(asked))
    used = device.get(asked)
    assert (await ann.show("passkey", credential=used)).status_code == 200
    await refused(ann, used)
    await refused(ann, device.get(second))
    asked = await ann.request()
    options = await ann.creation()
    api.clock.at += timedelta(minutes=4)
    assert (await ann.sign(device)).status_code == 200
    asked = await ann.request()
    api.clock.at += timedelta(minutes=1)
    late = replace(device, credential_id=b"late")
    assert_problem(await ann.add(late.create(options)), 409, "challenge_over")
    api.clock.at += timedelta(minutes=4)
    await refused(ann, device.get(asked))


async def test_a_counter_that_stands_still_is_a_copied_key(api: TestApi) -> None:
    """The copy and the original are both refused until the counter has moved on."""
    ann = await stepped_up(api)
    device = Authenticator(count=5)
    await ann.set_up_passkey(device)
    assert (await ann.sign(replace(device, count=7))).status_code == 200
    for count in (7, 6, 0):
        answer = await ann.sign(replace(device, count=count))
        assert_problem(answer, 422, "wrong_proof", "/proof")
    assert (await ann.sign(replace(device, count=8))).status_code == 200


async def test_another_persons_passkey_is_nobodys(api: TestApi) -> None:
    """It neither proves, nor is added again, nor renamed or removed; colleagues are others too."""
    ann = await stepped_up(api)
    device = Authenticator()
    passkey_id = await ann.set_up_passkey(device)
    bob = await person(api, merchant_id=ann.merchant_id)
    await bob.step_up()
    answer = await bob.add(device.create(await bob.creation()))
    assert_problem(answer, 409, "passkey_not_added")
    own = Authenticator(key=es256(2), credential_id=b"bobs")
    await bob.set_up_passkey(own)
    asked = await bob.request()
    answer = await bob.show("passkey", credential=device.get(asked))
    assert_problem(answer, 422, "wrong_proof", "/proof")
    asked = await bob.request()
    forged = replace(own, credential_id=device.credential_id).get(asked)
    answer = await bob.show("passkey", credential=forged)
    assert_problem(answer, 422, "wrong_proof", "/proof")
    told = []
    for object_id in (passkey_id, "pky_nobody"):
        path = f"/v1/factors/passkeys/{object_id}"
        answers = [
            await bob.call("PATCH", path, {"name": "mine"}),
            await bob.call("DELETE", path),
        ]
        for answer in answers:
            assert_problem(answer, 404, "not_found")
            told.append(answer.json()["detail"].replace(object_id, "ID"))
    assert len(set(told)) == 1
    assert len((await ann.ok("GET", "/v1/factors"))["passkeys"]) == 1


async def test_a_person_has_ten_passkeys_at_most(api: TestApi) -> None:
    """The eleventh is refused; a passkey never waits for anybody's guesses."""
    ann = await stepped_up(api)
    for number in range(10):
        await ann.set_up_passkey(Authenticator(credential_id=b"key %d" % number))
    answer = await ann.add(
        Authenticator(credential_id=b"one more").create(await ann.creation())
    )
    assert_problem(answer, 409, "passkey_not_added")
    for _ in range(6):
        await ann.show("recovery_code", code="wrong")
    refused = await ann.show("recovery_code", code=ann.spare[0])
    assert_problem(refused, 429, "attempts_delayed")
    assert (await ann.sign(Authenticator(credential_id=b"key 3"))).status_code == 200
