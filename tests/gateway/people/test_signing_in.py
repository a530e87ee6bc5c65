"""Signing in: one answer to every wrong try, sessions that end, and tokens that are only hashes."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.http.cookies import origin_of
from gateway.sessions import tokens
from tests.gateway.people.conftest import PASSWORD, People

pytestmark = pytest.mark.anyio


async def test_a_session_is_shown_once_listed_and_revoked(people: People) -> None:
    """The token is in the answer and nowhere else; one's own sessions can be ended one by one."""
    merchant_id = await people.merchant()
    await people.owner_of(merchant_id)
    answer = await people.client.post(
        "/v1/sessions",
        json={"email": "OWNER@shop.example", "password": PASSWORD},
        headers={"User-Agent": "x" * 400},
    )
    made = answer.json()
    assert answer.status_code == 201
    assert (made["livemode"], made["second_factor"], made["current"]) == (False, "none", True)
    assert made["user_agent"] == "x" * 300
    rows = await people.rows(
        "SELECT token_hash FROM user_session WHERE id = :id", id=made["id"]
    )
    assert rows[0].token_hash == tokens.hashed(made["token"])
    assert len(made["token"]) == 47

    listed = (await people.call("GET", "/v1/sessions", made["token"])).json()["data"]
    assert [row["current"] for row in listed] == [True, False]
    assert all(row["token"] is None for row in listed)
    other = await people.signed_in("owner@shop.example")
    path = f"/v1/sessions/{made['id']}"
    assert (await people.call("DELETE", path, other)).json()["revoked_at"] is not None
    assert (await people.call("GET", "/v1/person", made["token"])).status_code == 401
    gone = await people.call("DELETE", "/v1/sessions/ses_nobody", other)
    assert gone.status_code == 404
    ended = await people.call("POST", "/v1/sessions/revoke_others", other)
    assert ended.json()["ended"] == 1
    assert (await people.call("DELETE", "/v1/sessions/current", other)).status_code == 200
    assert (await people.call("GET", "/v1/person", other)).status_code == 401
    actions = [
        row.action
        for row in await people.rows(
            "SELECT action FROM audit_log WHERE merchant_id = :merchant "
            "AND action LIKE 'session.%' ORDER BY id",
            merchant=merchant_id,
        )
    ]
    assert actions == [
        "session.created", "session.stepped_up", "session.created", "session.created",
        "session.revoked", "session.others_revoked", "session.revoked",
    ]  # fmt: skip


async def test_every_refusal_is_the_same_and_on_record(people: People) -> None:
    """Unknown, wrong and suspended: one answer, one row each; the row tells no tried address."""
    merchant_id = await people.merchant()
    owner = await people.owner_of(merchant_id)
    await people.member(owner, "viewer", "viewer@shop.example")
    viewer = (await people.me(await people.signed_in("viewer@shop.example")))["id"]
    change = {"status": "suspended"}
    assert (await people.call("PATCH", f"/v1/team/{viewer}", owner, json=change)).is_success
    answers = [
        await people.sign_in("nobody@shop.example"),
        await people.sign_in("owner@shop.example", "not the password at all"),
        await people.sign_in("viewer@shop.example"),
    ]
    seen = {
        (a.status_code, a.json()["code"], a.json()["detail"], a.headers.get("set-cookie"))
        for a in answers
    }
    assert seen == {(401, "sign_in_refused", "e-mail address or password is wrong", None)}
    rows = await people.rows(
        "SELECT merchant_id, person, account, reason FROM refused_sign_in"
        " ORDER BY id DESC LIMIT 3"
    )
    rows.reverse()
    assert [row.reason for row in rows] == ["wrong", "wrong", "suspended"]
    assert (rows[0].merchant_id, rows[0].person) == (None, None)
    assert rows[0].account.startswith("account:")
    assert rows[2].person == viewer
    assert "nobody@" not in str([tuple(row) for row in rows])


async def test_who_guesses_waits_longer_and_longer_and_nobody_is_locked_out(
    people: People,
) -> None:
    """Five tries are free; the next waits double; the right password from elsewhere opens."""
    await people.admin()
    for email in ("root@house.example", "nobody@house.example"):
        for _ in range(6):
            assert (await people.sign_in(email, "wrong wrong wrong")).status_code == 401
        early = await people.sign_in(email)
        assert (early.status_code, early.json()["code"]) == (429, "attempts_delayed")
        assert early.headers["Retry-After"] == "1"
        people.clock.at += timedelta(seconds=1)
        assert (await people.sign_in(email, "wrong wrong wrong")).status_code == 401
        assert (await people.sign_in(email)).headers["Retry-After"] == "2"
    [waits] = await people.rows(
        "SELECT count_attempt('x', 0, now() + n * interval '1 hour') AS first, "
        "count_attempt('x', 0, now() + n * interval '1 hour') AS second FROM (SELECT 1 AS n) s"
    )
    assert (waits.first, waits.second) == (0, 1)
    people.clock.at += timedelta(seconds=2)
    await people.signed_in("root@house.example")
    assert (await people.sign_in("root@house.example", "wrong wrong wrong")).status_code == 401


async def test_the_wait_ends_and_an_address_is_counted_across_accounts(people: People) -> None:
    """15 minutes at most, whatever was tried; one address cannot try a list of accounts."""
    statement = text("SELECT count_attempt('\\x01', 0, :now)")
    async with people.database.unit_of_work(None) as session:
        at = people.clock().at
        for _ in range(14):
            assert await session.scalar(statement, {"now": at}) == 0
            wait = await session.scalar(statement, {"now": at})
            assert wait is not None
            at += timedelta(seconds=wait)
        assert wait == 900
    for number in range(31):
        answer = await people.sign_in(f"u{number}@house.example", "wrong wrong wrong")
        assert answer.status_code == 401
    assert (await people.sign_in("another@house.example")).status_code == 429


async def test_sessions_end_by_themselves(people: People) -> None:
    """After 30 minutes without use, and after 12 hours in any case."""
    token = await people.admin()
    people.clock.at += timedelta(minutes=30, seconds=-1)
    assert (await people.call("GET", "/v1/person", token)).status_code == 200
    people.clock.at += timedelta(minutes=30, seconds=1)
    assert (await people.call("GET", "/v1/person", token)).status_code == 401
    token = await people.signed_in("root@house.example")
    for _ in range(25):
        assert (await people.call("GET", "/v1/person", token)).status_code == 200
        people.clock.at += timedelta(minutes=29)
    assert (await people.call("GET", "/v1/person", token)).status_code == 401


async def test_last_activity_is_written_once_a_minute(people: People) -> None:
    """A busy session writes one row a minute, not one a request."""
    token = await people.admin()
    query = "SELECT last_active_at, xmin::text AS version FROM user_session WHERE revoked_at IS NULL"
    [before] = await people.rows(query)
    await people.call("GET", "/v1/person", token)
    assert await people.rows(query) == [before]
    people.clock.at += timedelta(seconds=61)
    seen = (await people.me(token))["last_active_at"]
    [after] = await people.rows(query)
    assert after.last_active_at > before.last_active_at
    assert seen == after.last_active_at.isoformat().replace("+00:00", "Z")


async def test_a_pending_second_factor_opens_nothing_but_itself(people: People) -> None:
    """Neither scopes nor sessions; signing out and seeing who one is are left."""
    merchant_id = await people.merchant()
    await people.owner_of(merchant_id)
    token = await people.signed_in("owner@shop.example")
    await people.rows(
        "UPDATE user_session SET factor_needed = true WHERE token_hash = :hash RETURNING 1",
        hash=tokens.hashed(token),
    )
    for path in ("/v1/invoices", "/v1/team", "/v1/sessions"):
        answer = await people.call("GET", path, token)
        assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")
    change = {"current_password": PASSWORD, "new_password": "another quick brown otter"}
    answer = await people.call("POST", "/v1/person/password", token, json=change)
    assert answer.status_code == 403
    assert (await people.call("GET", "/v1/person", token)).status_code == 200
    assert (await people.call("DELETE", "/v1/sessions/current", token)).status_code == 200


async def test_a_step_up_changes_the_token_and_lasts_five_minutes(people: People) -> None:
    """The old token is dead at once; money routes ask again after five minutes."""
    await people.admin()
    before = await people.signed_in("root@house.example")
    body = {"email": "second@house.example", "role": "OPERATOR"}
    early = await people.call("POST", "/v1/operators/invitations", before, json=body)
    assert (early.status_code, early.json()["code"]) == (403, "step_up_required")
    change = {"current_password": PASSWORD, "new_password": "another quick brown otter"}
    early = await people.call("POST", "/v1/person/password", before, json=change)
    assert early.json()["code"] == "step_up_required"
    after = await people.stepped_up(before)
    assert (await people.call("GET", "/v1/person", before)).status_code == 401
    people.clock.at += timedelta(minutes=4, seconds=59)
    made = await people.call("POST", "/v1/operators/invitations", after, json=body)
    assert made.status_code == 201
    people.clock.at += timedelta(seconds=1)
    late = await people.call("POST", "/v1/operators/invitations", after, json=body)
    assert late.json()["code"] == "step_up_required"


async def test_a_cookie_acts_only_from_our_own_pages(people: People) -> None:
    """Host-bound, out of reach of scripts; another site's request changes nothing."""
    await people.admin()
    own = {"Origin": "http://127.0.0.1:8080"}
    body = {"email": "root@house.example", "password": PASSWORD, "cookie": True}
    foreign = await people.call(
        "POST", "/v1/sessions", json=body, headers={"Origin": "https://evil.example"}
    )
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")
    answer = await people.call("POST", "/v1/sessions", json=body, headers=own)
    assert (answer.status_code, answer.json()["token"]) == (201, None)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=gws_")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=43200"):
        assert word in cookie
    held = {"Cookie": cookie.partition(";")[0]}
    people.client.cookies.clear()
    assert (await people.call("GET", "/v1/person", headers=held)).status_code == 200
    for origin in ({}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8081"}):
        answer = await people.call(
            "PATCH", "/v1/person", headers={**held, **origin}, json={"username": "root"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    answer = await people.call(
        "PATCH", "/v1/person", headers={**held, **own}, json={"username": "root"}
    )
    assert answer.json()["username"] == "root"
    out = await people.call("DELETE", "/v1/sessions/current", headers={**held, **own})
    assert "Max-Age=0" in out.headers["set-cookie"]


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("https://Pay.Example:443/shop", "https://pay.example"),
        ("http://pay.example:80", "http://pay.example"),
        ("https://pay.example:80", "https://pay.example:80"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_our_origin_is_spelled_as_browsers_spell_it(public_url: str, origin: str) -> None:
    """Without the scheme's own port: else nobody could sign in on our own pages."""
    assert origin_of(public_url) == origin


async def test_a_session_sees_the_networks_of_its_mode(people: People) -> None:
    """Chosen at sign-in, switched on record."""
    merchant_id = await people.merchant()
    await people.owner_of(merchant_id)
    token = await people.signed_in("owner@shop.example", livemode=True)
    assert (await people.call("GET", "/v1/api_keys", token)).json()["data"] == []
    test_key = await people.key(merchant_id, ["invoices:read"])
    assert test_key.startswith("gw_test_")
    assert (await people.call("GET", "/v1/api_keys", token)).json()["data"] == []
    switched = await people.call(
        "PATCH", "/v1/sessions/current", token, json={"livemode": False}
    )
    assert switched.json()["livemode"] is False
    assert len((await people.call("GET", "/v1/api_keys", token)).json()["data"]) == 1


async def test_keys_are_no_people(people: People) -> None:
    """A key has no session, no profile and no team; a session is no key of the other prefix."""
    merchant_id = await people.merchant()
    key = await people.key(merchant_id)
    for path in ("/v1/sessions", "/v1/person"):
        answer = await people.call("GET", path, key)
        assert (answer.status_code, answer.json()["code"]) == (403, "session_required")
    assert (await people.call("GET", "/v1/team", key)).status_code == 403
    for wrong in ("gws_", "gws_" + "a" * 43, "gws_" + "a" * 44):
        assert (await people.call("GET", "/v1/person", wrong)).status_code == 401
