"""What the database refuses to the API's role, whatever statement it is made to run."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.sessions import tokens
from tests.gateway.people.conftest import PASSWORD, People

pytestmark = pytest.mark.anyio
BY_HAND = (
    "INSERT INTO invitation (id, token_hash, email, role, mailed, invited_by, created_at, "
    "expires_at) VALUES ('ivt_x', sha256('x'), 'x@evil.example', 'ADMIN', true, 'x', now(), "
    "now() + interval '1 day')"
)


async def tried(people: People, tenant: str | None, statement: str, **values: object) -> int:
    """Run one statement as gw_api under a tenant; return how many rows it returned."""
    async with people.database.unit_of_work(tenant) as session:
        return len((await session.execute(text(statement), values)).all())


async def test_nobody_becomes_more_by_plain_sql(people: People) -> None:
    """Roles, births, hashes and tokens are out of reach, also inside the own tenant."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    admin = await people.admin()
    ids = [(await people.me(token))["id"] for token in (owner, admin)]
    for statement in (
        "UPDATE users SET role = 'ADMIN', merchant_id = NULL, team_role = NULL",
        "UPDATE users SET password_hash = 'x'",
        "UPDATE users SET email = 'x@evil.example'",
        "UPDATE users SET email_verified_at = now()",
        "INSERT INTO users (id, email, role, created_at) VALUES ('usr_x', 'x@x', 'ADMIN', now())",
        "DELETE FROM users",
        "SELECT password_hash FROM users",
        "SELECT token_hash FROM user_session",
        "SELECT token_hash FROM invitation",
        "SELECT token_hash FROM one_time_token",
        "UPDATE user_session SET stepped_up_at = now()",
        "UPDATE user_session SET second_factor_at = now(), expires_at = now() + interval '1 year'",
        "INSERT INTO user_session (id) VALUES ('ses_x')",
        "UPDATE invitation SET role = 'ADMIN'",
        "SELECT * FROM sign_in_attempt",
        "DELETE FROM sign_in_attempt",
        "SELECT spend_token('x', 'reset', now())",
        "SELECT acting_admin('x', now())",
        BY_HAND,
    ):
        for tenant in (merchant_id, *ids):
            with pytest.raises(ProgrammingError, match=r"permission denied|row-level security"):
                await tried(people, tenant, statement)


async def test_the_house_grows_by_an_admins_stepped_up_session_alone(people: People) -> None:
    """Without a factor, with a merchant's session or with an invented one: nothing."""
    owner = await people.owner_of(await people.merchant())
    admin = await people.admin()
    plain = await people.signed_in("root@house.example")
    invite = (
        "SELECT 1 WHERE invite_operator(:hash, 'ivt_x', sha256('x'), 'x@evil.example', 'ADMIN', "
        ":now, :now + interval '1 day')"
    )
    promote = "SELECT 1 WHERE set_operator_role(:hash, :id, 'ADMIN', :now)"
    owner_id = (await people.me(owner))["id"]
    for token in (owner, plain, "gws_" + "x" * 43):
        values = {"hash": tokens.hashed(token), "now": people.clock().at}
        assert await tried(people, None, invite, **values) == 0
        assert await tried(people, None, promote, id=owner_id, **values) == 0
    values = {"hash": tokens.hashed(admin), "now": people.clock().at}
    assert await tried(people, None, promote, id=owner_id, **values) == 0
    assert await tried(people, None, invite, **values) == 1


async def test_nobody_is_somebody_without_the_password(people: People) -> None:
    """No function shows the hash of one, and none opens a session without it."""
    await people.admin()
    [stored] = await people.rows("SELECT id, password_hash FROM users")
    salt, _, digest = stored.password_hash.rpartition("$")
    account = (
        "SELECT row_to_json(a)::text AS shown FROM sign_in_account('root@house.example') a"
    )
    async with people.database.unit_of_work(None) as session:
        shown = (await session.execute(text(account))).scalar_one()
    assert salt in shown
    assert digest not in shown
    begin = (
        "SELECT * FROM open_session('ses_x', :id, sha256('t'), :phc, false, NULL, NULL, :now, "
        ":now + interval '1 hour')"
    )
    values = {"id": stored.id, "now": people.clock().at}
    for phc in (None, "", f"{salt}$", f"{salt}${digest[:-1]}"):
        assert await tried(people, None, begin, phc=phc, **values) == 0
    assert await tried(people, None, begin, phc=stored.password_hash, **values) == 1


async def test_people_are_seen_by_their_own_tenant(people: People) -> None:
    """A merchant sees its team, an operator itself, an admin the house; nobody more."""
    one, two = await people.merchant("One"), await people.merchant("Two")
    await people.owner_of(one, "a@one.example")
    await people.owner_of(two, "b@two.example")
    admin = await people.admin()
    body = {"email": "op@house.example", "role": "OPERATOR"}
    await people.call("POST", "/v1/operators/invitations", admin, json=body)
    operator = await people.arrived(await people.mailed("op@house.example"), "op@house.example")
    admin_id, operator_id = [(await people.me(each))["id"] for each in (admin, operator)]
    seen = {
        tenant: {
            table: await tried(people, tenant, f"SELECT id FROM {table}")
            for table in ("users", "user_session", "invitation")
        }
        for tenant in (None, one, two, operator_id, admin_id)
    }
    assert seen[None] == {"users": 0, "user_session": 0, "invitation": 0}
    assert seen[one] == seen[two] == {"users": 1, "user_session": 1, "invitation": 1}
    assert seen[operator_id] == {"users": 1, "user_session": 1, "invitation": 0}
    assert seen[admin_id] == {"users": 2, "user_session": 2, "invitation": 2}
    assert await tried(people, one, "UPDATE users SET status = 'suspended' RETURNING id") == 1
    assert await tried(people, operator_id, "SELECT 1 WHERE is_operator()") == 1
    change = "UPDATE users SET deleted_at = now() RETURNING id"
    assert await tried(people, two, change) == 1
    assert await tried(people, two, "UPDATE users SET deleted_at = NULL RETURNING id") == 0


async def test_an_operator_who_is_suspended_is_none(people: People) -> None:
    """Also in the policies: the id alone opens nothing."""
    admin = await people.admin()
    body = {"email": "op@house.example", "role": "OPERATOR"}
    await people.call("POST", "/v1/operators/invitations", admin, json=body)
    operator = await people.arrived(await people.mailed("op@house.example"), "op@house.example")
    operator_id = (await people.me(operator))["id"]
    change = {"status": "suspended"}
    await people.call("PATCH", f"/v1/operators/{operator_id}", admin, json=change)
    assert await tried(people, operator_id, "SELECT 1 WHERE is_operator()") == 0
    assert await tried(people, operator_id, "SELECT 1 WHERE is_admin()") == 0


async def test_an_end_is_an_end(people: People) -> None:
    """Plain SQL brings back no session, invitation or key, and spends no token."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    body = {"email": "new@shop.example", "team_role": "owner"}
    made = await people.call("POST", "/v1/team/invitations", owner, json=body)
    await people.call("DELETE", f"/v1/team/invitations/{made.json()['id']}", owner)
    key = {"name": "x", "scopes": ["invoices:read"]}
    made = await people.call("POST", "/v1/api_keys", owner, json=key)
    await people.call("DELETE", f"/v1/api_keys/{made.json()['id']}", owner)
    await people.call("DELETE", "/v1/sessions/current", owner)
    for table in ("user_session", "invitation", "api_key"):
        for end in ("NULL", "now()"):
            change = f"UPDATE {table} SET revoked_at = {end} WHERE revoked_at IS NOT NULL RETURNING 1"
            with pytest.raises(ProgrammingError, match="revoked for good"):
                await tried(people, merchant_id, change)
    with pytest.raises(ProgrammingError, match="permission denied"):
        await tried(people, merchant_id, "UPDATE one_time_token SET used_at = NULL RETURNING 1")


async def test_an_account_has_one_name_for_whoever_guesses(people: People) -> None:
    """The database's lower case knows `İ` as `i`: such a spelling leads to nobody."""
    await people.owner_of(await people.merchant(), "billing@shop.example")
    for email, status in (
        ("BILLING@shop.example", 201),
        ("b\u0130lling@shop.example", 401),
        ("bill\u0130ng@shop.example", 401),
    ):
        answer = await people.call(
            "POST", "/v1/sessions", json={"email": email, "password": PASSWORD}
        )
        assert answer.status_code == status, email
