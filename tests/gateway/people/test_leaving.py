"""What stays behind when somebody goes: their keys, and what they offered; who reads their letters."""

from typing import Any

import pytest

from tests.gateway.people.conftest import PASSWORD, People

pytestmark = pytest.mark.anyio
OUTLIVES = (
    "SELECT subject, merchant_id, after FROM audit_log"
    " WHERE action = 'api_key.outlives_maker' AND merchant_id = :merchant ORDER BY id"
)


async def made_key(people: People, caller: str, *scopes: str) -> dict[str, Any]:
    """Make a key; return its document."""
    body = {"name": "till", "scopes": list(scopes)}
    answer = await people.call("POST", "/v1/api_keys", caller, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def outliving(people: People, caller: str) -> list[str]:
    """Return the ids of the keys that are flagged, newest first; lists and single answers agree."""
    listed = (await people.call("GET", "/v1/api_keys", caller)).json()["data"]
    for row in listed:
        one = await people.call("GET", f"/v1/api_keys/{row['id']}", caller)
        assert one.json() == row
    return [row["id"] for row in listed if row["outlives_maker"]]


async def works(people: People, key: dict[str, Any]) -> bool:
    """Tell whether a key is in force."""
    return (await people.call("GET", "/v1/networks", key["key"])).status_code == 200


async def test_keys_that_outlive_their_maker_are_flagged_alerted_and_ended_on_demand(
    people: People,
) -> None:
    """Another role, suspension, farewell: the shop goes on, and the owner knows of each key."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    developer = await people.member(owner, "developer", "dev@shop.example")
    path = f"/v1/team/{(await people.me(developer))['id']}"
    seller = await made_key(people, developer, "invoices:write", "settings:write")
    second = await made_key(people, seller["key"], "settings:write")
    reader = await made_key(people, developer, "invoices:read")
    own = await made_key(people, owner, "invoices:write")
    assert await outliving(people, owner) == []

    changed = await people.call("PATCH", path, owner, json={"team_role": "accountant"})
    assert changed.status_code == 200, changed.text
    assert await outliving(people, owner) == [second["id"], seller["id"]]
    rows = await people.rows(OUTLIVES, merchant=merchant_id)
    assert [(row.subject, row.merchant_id) for row in rows] == [
        (seller["id"], merchant_id), (second["id"], merchant_id),
    ]  # fmt: skip
    assert rows[0].after["scopes"] == ["invoices:write", "settings:write"]
    for _ in range(2):
        await people.call("PATCH", path, owner, json={"status": "suspended"})
    assert len(await people.rows(OUTLIVES, merchant=merchant_id)) == 2 + 3
    assert await outliving(people, owner) == [reader["id"], second["id"], seller["id"]]
    every = (seller, second, reader, own)
    assert [await works(people, key) for key in every] == [True] * 4

    gone = await people.call("DELETE", f"{path}?revoke_keys=true", owner)
    assert gone.status_code == 200, gone.text
    assert [await works(people, key) for key in every] == [False, False, False, True]
    assert await outliving(people, owner) == []
    ended = (
        "SELECT subject FROM audit_log WHERE action = 'api_key.revoked'"
        " AND merchant_id = :merchant ORDER BY id"
    )
    assert [row.subject for row in await people.rows(ended, merchant=merchant_id)] == [
        key["id"] for key in (seller, second, reader)
    ]


async def test_an_operator_ends_the_keys_of_a_merchants_person(people: People) -> None:
    """On the merchant's record; keys of the other mode and nobody else's."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    test = await made_key(people, owner, "invoices:read")
    await people.call("PATCH", "/v1/sessions/current", owner, json={"livemode": True})
    live = await made_key(people, owner, "invoices:read")
    assert live["livemode"] is True
    other = await people.owner_of(await people.merchant(), "them@two.example")
    theirs = await made_key(people, other, "invoices:read")
    users = f"/v1/merchants/{merchant_id}/users"
    path = f"{users}/{(await people.me(owner))['id']}?revoke_keys=true"
    body = {"status": "suspended"}
    answer = await people.call("PATCH", path, await people.key(None), json=body)
    assert answer.status_code == 200, answer.text
    assert [await works(people, key) for key in (test, live, theirs)] == [False, False, True]
    ended = "SELECT merchant_id FROM audit_log WHERE subject = ANY(:keys) AND action = 'api_key.revoked'"
    rows = await people.rows(ended, keys=[test["id"], live["id"]])
    assert [row.merchant_id for row in rows] == [merchant_id] * 2


@pytest.mark.parametrize("change", [None, {"status": "suspended"}, {"role": "OPERATOR"}])
async def test_what_the_houses_own_offered_to_merchants_goes_with_them(
    people: People, change: dict[str, str] | None
) -> None:
    """Nobody of the house comes back as the owner of a shop; others' offers stand."""
    shops = [await people.merchant(), await people.merchant()]
    first = await people.admin()
    body = {"email": "two@house.example", "role": "ADMIN"}
    await people.call("POST", "/v1/operators/invitations", first, json=body)
    second = await people.arrived(await people.mailed("two@house.example"), "two@house.example")
    offers = ((first, "kept@shop.example"), (second, "back@door.example"))
    for merchant_id, (caller, email) in zip(shops, offers, strict=True):
        path = f"/v1/merchants/{merchant_id}/invitations"
        body = {"email": email, "team_role": "owner"}
        assert (await people.call("POST", path, caller, json=body)).status_code == 201
    where = f"/v1/operators/{(await people.me(second))['id']}"
    answer = await people.call("PATCH" if change else "DELETE", where, first, json=change)
    assert answer.status_code == 200, answer.text
    for email, status in (("back@door.example", 422), ("kept@shop.example", 201)):
        body = {"token": await people.mailed(email), "password": PASSWORD}
        answer = await people.call("POST", "/v1/invitations/accept", json=body)
        assert answer.status_code == status, answer.text
    revoked = (
        "SELECT merchant_id FROM audit_log WHERE action = 'invitation.revoked' ORDER BY id"
    )
    assert (await people.rows(revoked))[-1].merchant_id == shops[1]


async def accepted(people: People, token: str) -> int:
    """Try an invitation; return the status of the answer."""
    body = {"token": token, "password": PASSWORD}
    return (await people.call("POST", "/v1/invitations/accept", json=body)).status_code


async def test_an_older_invitation_is_no_way_back_and_no_choice_of_roles(
    people: People,
) -> None:
    """The last letter to a mailbox is the only one; who is removed has none, and is told."""
    owner = await people.owner_of(await people.merchant())
    email = "bob@shop.example"
    tokens = []
    for team_role, spelled in (("owner", email), ("viewer", "Bob@Shop.example")):
        body = {"email": spelled, "team_role": team_role}
        await people.call("POST", "/v1/team/invitations", owner, json=body)
        tokens.append(await people.mailed(email))
    assert await accepted(people, tokens[0]) == 422
    bob = await people.arrived(tokens[1], email)
    assert (await people.me(bob))["team_role"] == "viewer"
    body = {"email": email, "team_role": "owner"}
    await people.call("POST", "/v1/team/invitations", owner, json=body)
    meanwhile = await people.mailed(email)
    path = f"/v1/team/{(await people.me(bob))['id']}"
    for status in ("suspended", "active"):
        await people.call("PATCH", path, owner, json={"status": status})
    gone = await people.call("DELETE", path, owner)
    assert gone.status_code == 200, gone.text
    assert await accepted(people, meanwhile) == 422
    letters = (await people.letters(email))[-3:]
    for letter, words in zip(letters, ("suspended", "in force", "removed"), strict=True):
        assert words in letter
    await people.call("POST", "/v1/team/invitations", owner, json=body)
    assert await accepted(people, await people.mailed(email)) == 201


async def test_whom_the_house_let_go_has_no_older_invitation_either(people: People) -> None:
    """An operator who is removed does not come back as the admin that an earlier letter meant."""
    admin = await people.admin()
    email, path = "two@house.example", "/v1/operators/invitations"
    await people.call("POST", path, admin, json={"email": email, "role": "OPERATOR"})
    operator = await people.arrived(await people.mailed(email), email)
    tokens = []
    for role in ("ADMIN", "OPERATOR"):
        await people.call("POST", path, admin, json={"email": email, "role": role})
        tokens.append(await people.mailed(email))
    where = f"/v1/operators/{(await people.me(operator))['id']}"
    assert (await people.call("DELETE", where, admin)).status_code == 200
    assert [await accepted(people, token) for token in tokens] == [422, 422]


async def test_the_house_invites_the_first_one_of_a_team_and_nobody_beside(
    people: People,
) -> None:
    """Nobody of the house is a second person at a merchant's gate: one offer, then the owners'."""
    merchant_id = await people.merchant()
    admin, path = await people.admin(), f"/v1/merchants/{merchant_id}/invitations"
    tokens = []
    for email in ("own@operator.example", "owner@shop.example"):
        body = {"email": email, "team_role": "owner"}
        assert (await people.call("POST", path, admin, json=body)).status_code == 201
        tokens.append(await people.mailed(email))
    assert await accepted(people, tokens[0]) == 422
    owner = await people.arrived(tokens[1], "owner@shop.example")
    body = {"email": "own@operator.example", "team_role": "manager"}
    for caller in (admin, await people.key(None, livemode=True)):
        refused = await people.call("POST", path, caller, json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "team_not_empty")
    user = f"/v1/merchants/{merchant_id}/users/{(await people.me(owner))['id']}"
    await people.call("PATCH", user, admin, json={"status": "suspended"})
    assert "suspended" in (await people.letters("owner@shop.example"))[-1]
    assert (await people.call("POST", path, admin, json=body)).status_code == 409
    assert (await people.call("DELETE", user, admin)).status_code == 200
    assert (await people.call("POST", path, admin, json=body)).status_code == 201


async def test_letters_about_somebodys_account_are_the_teams_to_read(people: People) -> None:
    """Who was invited and whose password changed is for those who see the team: no key, no viewer."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    viewer = await people.member(owner, "viewer", "view@shop.example")
    key = await people.key(merchant_id)
    for caller, letters in ((owner, 2), (viewer, 0), (key, 0)):
        page = (await people.call("GET", "/v1/notifications", caller)).json()
        kinds = [row["kind"] for row in page["data"]]
        assert kinds == ["person.invited"] * letters
    asked = await people.call("GET", "/v1/notifications?kind=person.invited", viewer)
    assert asked.json()["data"] == []


async def test_a_team_invites_so_many_times_a_day(people: People) -> None:
    """The mailboxes are strangers': a stolen session makes no spammer of the house."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    await people.rows(
        "INSERT INTO invitation (id, merchant_id, token_hash, email, role, team_role, mailed,"
        " invited_by, created_at, expires_at) SELECT 'ivt_' || n, :merchant,"
        " sha256(convert_to(n::text, 'UTF8')), 'a@b', 'MERCHANT', 'viewer', true, 'x', :at,"
        " CAST(:at AS timestamptz) + interval '7 days' FROM generate_series(1, 98) n RETURNING 1",
        merchant=merchant_id,
        at=people.clock.at,
    )
    body = {"email": "new@shop.example", "team_role": "viewer"}
    answers = [
        await people.call("POST", "/v1/team/invitations", owner, json=body) for _ in "12"
    ]
    assert [answer.status_code for answer in answers] == [201, 429]
    assert answers[1].json()["code"] == "too_many_invitations"
