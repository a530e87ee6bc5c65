"""Teams and the operator's own: invited, changed, suspended, let go; nobody beyond the own house."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from devnet.system.waiting import until
from gateway.domain.actor import MERCHANT_SCOPES, OPERATOR_SCOPES
from gateway.domain.roles import HOUSE_SCOPES, TEAM_SCOPES, scopes_of
from tests.gateway.people.conftest import PASSWORD, People

pytestmark = pytest.mark.anyio
WAITING = "SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted"


def test_roles_are_fixed_sets_of_scopes() -> None:
    """Who is not known may do nothing; no merchant's role has an operator's scope."""
    team = {role: scopes_of("MERCHANT", role) for role in ("owner", "manager", "developer")}
    assert team["owner"] == MERCHANT_SCOPES | TEAM_SCOPES
    for role in ("manager", "developer", "accountant", "viewer"):
        scopes = scopes_of("MERCHANT", role)
        assert scopes < team["owner"]
        assert "team:write" not in scopes
        assert ("withdrawals:approve" in scopes) == (role == "manager")
        assert ("settings:write" in scopes) == (role == "developer")
    assert {s.partition(":")[2] for s in scopes_of("MERCHANT", "viewer")} == {"read"}
    # A scope that is new belongs to owners alone until somebody says whose else it is.
    assert team["manager"] | team["developer"] == team["owner"] - {"team:write"}
    assert scopes_of("ADMIN", None) == OPERATOR_SCOPES | HOUSE_SCOPES
    assert scopes_of("OPERATOR", None) == OPERATOR_SCOPES
    for role, team_role in (("MERCHANT", None), ("MERCHANT", "king"), ("KING", None)):
        assert scopes_of(role, team_role) == frozenset()


async def test_an_invitation_becomes_a_person_once(people: People) -> None:
    """Seven days, one person; what is wrong with a token is not told apart."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    accept, path = "/v1/invitations/accept", "/v1/team/invitations"

    async def invited(email: str, team_role: str = "viewer") -> dict[str, Any]:
        body = {"email": email, "team_role": team_role}
        answer = await people.call("POST", path, owner, json=body)
        assert answer.status_code == 201
        return dict(answer.json())

    made = await invited("Ann@shop.example", "accountant")
    assert (made["email"], made["team_role"]) == ("ann@shop.example", "accountant")
    assert "gwi_" not in str(made)
    token = await people.mailed("ann@shop.example")
    body = {"token": token, "password": "password1234"}
    weak = await people.call("POST", accept, json=body)
    assert weak.json()["errors"][0]["code"] == "password_weak"
    body = {"token": token, "password": PASSWORD, "username": "ann", "phone": "+491701234567"}
    answer = await people.call("POST", accept, json=body)
    person = answer.json()
    assert answer.status_code == 201
    assert (person["merchant_id"], person["role"], person["team_role"]) == (
        merchant_id, "MERCHANT", "accountant",
    )  # fmt: skip
    assert (person["email_verified"], person["phone"]) == (True, "+491701234567")
    assert (await people.call("POST", accept, json=body)).json()["code"] == "invalid_token"
    ann = await people.signed_in("ann@shop.example")
    assert (await people.call("GET", "/v1/balances", ann)).status_code == 200
    invoice = await people.call("POST", "/v1/invoices", ann, json={})
    assert (invoice.status_code, invoice.json()["code"]) == (403, "insufficient_scope")

    await invited("bob@shop.example")
    bob = {"token": await people.mailed("bob@shop.example"), "password": PASSWORD}
    taken = await people.call("POST", accept, json={**bob, "username": "ann"})
    assert (taken.status_code, taken.json()["code"]) == (422, "username_taken")
    await invited("ann@shop.example")
    again = {"token": await people.mailed("ann@shop.example"), "password": PASSWORD}
    assert (await people.call("POST", accept, json=again)).json()["code"] == "email_taken"
    revoked = (await people.call("GET", path, owner)).json()["data"]
    answer = await people.call("DELETE", f"{path}/{revoked[0]['id']}", owner)
    assert answer.json()["revoked_at"] is not None
    assert (await people.call("POST", accept, json=again)).json()["code"] == "invalid_token"
    used = await people.call("DELETE", f"{path}/{made['id']}", owner)
    assert (used.status_code, used.json()["code"]) == (409, "invitation_accepted")
    people.clock.at += timedelta(days=7)
    assert (await people.call("POST", accept, json=bob)).json()["code"] == "invalid_token"
    [row] = await people.rows(
        "SELECT actor, after FROM audit_log WHERE subject = :id AND action = 'user.created'",
        id=person["id"],
    )
    assert (row.actor, row.after["team_role"]) == (person["id"], "accountant")


async def test_a_team_is_its_owners_to_change(people: People) -> None:
    """Role and suspension count at once; the one who goes leaves the address free."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    manager = await people.member(owner, "manager", "man@shop.example")
    viewer = await people.member(owner, "viewer", "view@shop.example")
    me, them = await people.me(owner), await people.me(viewer)
    path = f"/v1/team/{them['id']}"

    team = (await people.call("GET", "/v1/team", manager)).json()["data"]
    assert [row["team_role"] for row in team] == ["viewer", "manager", "owner"]
    assert (await people.call("GET", "/v1/team", viewer)).status_code == 403
    refused = await people.call("PATCH", path, manager, json={"team_role": "owner"})
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    own = await people.call(
        "PATCH", f"/v1/team/{me['id']}", owner, json={"status": "suspended"}
    )
    assert (own.status_code, own.json()["code"]) == (409, "own_account")
    assert (await people.call("DELETE", f"/v1/team/{me['id']}", owner)).status_code == 409

    changed = await people.call("PATCH", path, owner, json={"team_role": "developer"})
    assert changed.json()["team_role"] == "developer"
    assert (await people.call("GET", "/v1/api_keys", viewer)).status_code == 200
    await people.call("PATCH", path, owner, json={"status": "suspended"})
    assert (await people.call("GET", "/v1/person", viewer)).status_code == 401
    assert (await people.sign_in("view@shop.example")).status_code == 401
    await people.call("PATCH", path, owner, json={"status": "active"})
    assert (await people.call("GET", "/v1/person", viewer)).status_code == 401
    viewer = await people.signed_in("view@shop.example")

    gone = await people.call("DELETE", path, owner)
    assert gone.json()["deleted_at"] is not None
    assert (await people.call("GET", "/v1/person", viewer)).status_code == 401
    assert (await people.sign_in("view@shop.example")).status_code == 401
    for method in ("GET", "DELETE"):
        assert (await people.call(method, path, owner)).status_code == 404
    assert len(await people.rows("SELECT 1 FROM users WHERE id = :id", id=them["id"])) == 1
    await people.member(owner, "viewer", "view@shop.example")
    rows = await people.rows(
        "SELECT action, before, after FROM audit_log WHERE subject = :id "
        "AND action LIKE 'user.%' ORDER BY id",
        id=them["id"],
    )
    assert [row.action for row in rows] == [
        "user.created", "user.role_changed", "user.changed", "user.changed", "user.deleted",
    ]  # fmt: skip
    assert (rows[1].before, rows[1].after) == (
        {"team_role": "viewer"}, {"team_role": "developer"},
    )  # fmt: skip


async def test_two_owners_who_remove_each_other_leave_one(people: People) -> None:
    """The changes come one after the other, and the second is no owner's any more."""
    merchant_id = await people.merchant()
    first = await people.owner_of(merchant_id)
    second = await people.member(first, "owner", "second@shop.example")
    ids = [(await people.me(token))["id"] for token in (first, second)]

    async def both_wait() -> bool | None:
        [row] = await people.rows(WAITING)
        return row.waiting == 2 or None

    # Both have come as far as they get while somebody else holds the rows; then they may go on.
    async with people.owner.unit_of_work(None) as session:
        await session.execute(text("SELECT id FROM users FOR UPDATE"))
        removals = asyncio.gather(
            people.call("DELETE", f"/v1/team/{ids[1]}", first),
            people.call("DELETE", f"/v1/team/{ids[0]}", second),
        )
        await until(both_wait, "both removals to wait")
    answers = await removals
    assert sorted(answer.status_code for answer in answers) == [200, 403]
    assert len(await people.rows("SELECT 1 FROM users WHERE deleted_at IS NULL")) == 1


@pytest.mark.parametrize("change", [None, {"status": "suspended"}, {"team_role": "viewer"}])
async def test_what_somebody_offered_goes_with_them(
    people: People, change: dict[str, str] | None
) -> None:
    """An owner who has to go does not come back by an invitation written before."""
    first = await people.owner_of(await people.merchant())
    second = await people.member(first, "owner", "second@shop.example")
    for caller, email in ((first, "kept@shop.example"), (second, "back@door.example")):
        body = {"email": email, "team_role": "owner"}
        await people.call("POST", "/v1/team/invitations", caller, json=body)
    path = f"/v1/team/{(await people.me(second))['id']}"
    answer = await people.call("PATCH" if change else "DELETE", path, first, json=change)
    assert answer.status_code == 200, answer.text
    for email, status in (("back@door.example", 422), ("kept@shop.example", 201)):
        body = {"token": await people.mailed(email), "password": PASSWORD}
        answer = await people.call("POST", "/v1/invitations/accept", json=body)
        assert answer.status_code == status, answer.text
    revoked = (
        "SELECT i.email FROM audit_log a JOIN invitation i ON i.id = a.subject"
        " WHERE a.action = 'invitation.revoked'"
    )
    assert [row.email for row in await people.rows(revoked)] == ["back@door.example"]


async def test_two_admins_who_let_each_other_go_leave_one(people: People) -> None:
    """However it is done, and at the same instant: the house keeps an admin."""
    first = await people.admin()
    body = {"email": "two@house.example", "role": "ADMIN"}
    await people.call("POST", "/v1/operators/invitations", first, json=body)
    second = await people.arrived(await people.mailed("two@house.example"), "two@house.example")
    ids = [(await people.me(token))["id"] for token in (first, second)]

    async def both_wait() -> bool | None:
        [row] = await people.rows(WAITING)
        return row.waiting == 2 or None

    async with people.owner.unit_of_work(None) as session:
        await session.execute(text("SELECT id FROM users FOR UPDATE"))
        changes = asyncio.gather(
            people.call("PATCH", f"/v1/operators/{ids[1]}", first, json={"role": "OPERATOR"}),
            people.call("DELETE", f"/v1/operators/{ids[0]}", second),
        )
        await until(both_wait, "both changes to wait")
    answers = await changes
    assert sorted(answer.status_code for answer in answers) == [200, 403]
    left = "SELECT 1 FROM users WHERE role = 'ADMIN' AND deleted_at IS NULL"
    assert len(await people.rows(left)) == 1


async def test_another_merchants_people_do_not_exist(people: People) -> None:
    """404 for every id, and no trace."""
    mine = await people.owner_of(await people.merchant(), "me@one.example")
    theirs = await people.owner_of(await people.merchant(), "them@two.example")
    them = await people.me(theirs)
    invitation = await people.call(
        "POST", "/v1/team/invitations", theirs,
        json={"email": "new@two.example", "team_role": "viewer"},
    )  # fmt: skip
    session_id = (await people.call("GET", "/v1/sessions", theirs)).json()["data"][0]["id"]
    before = await people.rows("SELECT count(*) FROM audit_log")
    for method, path, body in (
        ("GET", f"/v1/team/{them['id']}", None),
        ("PATCH", f"/v1/team/{them['id']}", {"status": "suspended"}),
        ("DELETE", f"/v1/team/{them['id']}", None),
        ("DELETE", f"/v1/team/invitations/{invitation.json()['id']}", None),
        ("DELETE", f"/v1/sessions/{session_id}", None),
    ):
        answer = await people.call(method, path, mine, json=body)
        assert answer.status_code == 404, path
    assert await people.rows("SELECT count(*) FROM audit_log") == before
    assert len((await people.call("GET", "/v1/team", mine)).json()["data"]) == 1


async def test_operators_see_and_suspend_a_merchants_people(people: People) -> None:
    """With an operator's key or as an operator; an unknown merchant is not there."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    admin = await people.admin()
    user_id = (await people.me(owner))["id"]
    for caller in (admin, await people.key(None)):
        path = f"/v1/merchants/{merchant_id}/users"
        page = (await people.call("GET", path, caller)).json()
        assert [row["id"] for row in page["data"]] == [user_id]
        answer = await people.call("GET", "/v1/merchants/mer_nobody/users", caller)
        assert answer.status_code == 404
    change = {"status": "suspended"}
    answer = await people.call("PATCH", f"{path}/{user_id}", admin, json=change)
    assert answer.json()["status"] == "suspended"
    assert (await people.call("GET", "/v1/person", owner)).status_code == 401
    refused = await people.call("GET", "/v1/operators", await people.key(None))
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")


async def test_admins_invite_operators_and_change_them(people: People) -> None:
    """An operator has an operator's scopes and no say about people; nobody changes themselves."""
    admin = await people.admin()
    for email, role in (("op@house.example", "OPERATOR"), ("two@house.example", "ADMIN")):
        answer = await people.call(
            "POST", "/v1/operators/invitations", admin, json={"email": email, "role": role}
        )
        assert answer.status_code == 201, answer.text
    operator = await people.arrived(await people.mailed("op@house.example"), "op@house.example")
    merchant = await people.call("POST", "/v1/merchants", operator, json={"name": "New"})
    assert merchant.status_code == 201
    [row] = await people.rows(
        "SELECT actor FROM audit_log WHERE action = 'merchant.created' ORDER BY id DESC LIMIT 1"
    )
    op = await people.me(operator)
    assert row.actor == op["id"]
    assert (await people.call("GET", "/v1/operators", operator)).status_code == 403
    assert (await people.call("GET", "/v1/invoices", operator)).status_code == 403
    people_there = (await people.call("GET", "/v1/operators", admin)).json()["data"]
    assert [each["role"] for each in people_there] == ["OPERATOR", "ADMIN"]

    path = f"/v1/operators/{op['id']}"
    promoted = await people.call("PATCH", path, admin, json={"role": "ADMIN"})
    assert promoted.json()["role"] == "ADMIN"
    assert (await people.call("GET", "/v1/operators", operator)).status_code == 200
    own = await people.call("PATCH", path, operator, json={"role": "OPERATOR"})
    assert (own.status_code, own.json()["code"]) == (409, "own_account")
    suspended = await people.call("PATCH", path, admin, json={"status": "suspended"})
    assert suspended.json()["status"] == "suspended"
    assert (await people.call("GET", "/v1/person", operator)).status_code == 401
    assert (await people.call("DELETE", path, admin)).json()["deleted_at"] is not None
    invitations = (await people.call("GET", "/v1/operators/invitations", admin)).json()["data"]
    open_one = f"/v1/operators/invitations/{invitations[0]['id']}"
    assert (await people.call("DELETE", open_one, admin)).json()["revoked_at"] is not None


async def test_a_profile_is_ones_own(people: People) -> None:
    """User name and telephone number; a name that is taken is refused."""
    admin = await people.admin()
    owner = await people.owner_of(await people.merchant())
    body = {"username": "boss", "phone": "+12025550100"}
    assert (await people.call("PATCH", "/v1/person", admin, json=body)).json()["phone"]
    taken = await people.call("PATCH", "/v1/person", owner, json={"username": "boss"})
    assert (taken.status_code, taken.json()["code"]) == (422, "username_taken")
    cleared = await people.call("PATCH", "/v1/person", admin, json={"username": None})
    assert cleared.json()["username"] is None
    for wrong in ({"username": "Boss"}, {"phone": "110"}, {"role": "ADMIN"}):
        answer = await people.call("PATCH", "/v1/person", owner, json=wrong)
        assert answer.status_code == 422
