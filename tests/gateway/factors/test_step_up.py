"""What asks for a step-up, how long one lasts, an admin's reset, and what plain SQL cannot do."""

from datetime import timedelta
from typing import Any

import pytest
from litestar.routes import HTTPRoute
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.db import acting_for
from gateway.http.auth import requires
from gateway.sessions import tokens
from tests.gateway.conftest import TestApi
from tests.gateway.factors.authenticator import Authenticator
from tests.gateway.factors.people import deeds, mails, person
from tests.gateway.http.test_problems import assert_problem

pytestmark = pytest.mark.anyio

MONEY = {
    "approvals:write",
    "merchants:write",
    "pauses:write",
    "people:write",
    "settings:write",
    "team:write",
    "unattributed:approve",
    "unattributed:resolve",
    "webhooks:write",
    "withdrawals:approve",
    "withdrawals:create",
}
"""What moves money, says where it goes, or who may."""
OWN = ("/v1/factors", "/v1/person/password", "/v1/person/email")


async def test_every_change_of_money_or_of_who_may_asks_for_a_step_up(api: TestApi) -> None:
    """Derived from the routes: a new one cannot be forgotten. So do changes of one's own factors."""
    asked, missing = set(), []
    for route in api.api.litestar.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            changes = handler.http_methods - {"GET", "HEAD", "OPTIONS"}
            guards = [each for each in handler.resolve_guards() if isinstance(each, requires)]
            if not changes or not guards:
                continue
            own = route.path.startswith("/v1/factors/") or route.path in OWN
            if guards[0].scope in MONEY or own:
                asked.add(guards[0].scope)
                if not guards[0].step_up:
                    missing.append((*changes, route.path))
    assert missing == []
    assert asked == MONEY | {None}


async def test_a_step_up_lasts_five_minutes_and_keys_are_not_asked(api: TestApi) -> None:
    """The session alone is not enough for a webhook endpoint; a key is as before."""
    ann = await person(api)
    body = {"url": "https://shop.example/hook", "events": ["*"]}
    path = "/v1/webhook_endpoints"
    assert_problem(await ann.call("POST", path, body), 403, "step_up_required")
    await ann.step_up()
    assert (await ann.call("POST", path, body)).status_code == 201
    api.clock.at += timedelta(minutes=4, seconds=59)
    assert (await ann.call("POST", path, body)).status_code == 201
    api.clock.at += timedelta(seconds=1)
    assert_problem(await ann.call("POST", path, body), 403, "step_up_required")
    other = await ann.beside()
    await ann.step_up()
    assert_problem(await other.call("POST", path, body), 403, "step_up_required")
    key = await api.key(ann.merchant_id)
    assert (await api.call("POST", path, key, json=body)).status_code == 201


async def test_a_cookie_is_renewed_as_a_cookie(api: TestApi) -> None:
    """The next token is not in the answer where a browser must not read it."""
    ann = await person(api)
    headers = {"Cookie": f"__Host-session={ann.token}", "Origin": "http://127.0.0.1:8080"}
    body = {"proof": {"kind": "password", "password": "correct horse battery"}}
    path = "/v1/sessions/current/step_up"
    answer = await api.call("POST", path, headers=headers, json=body)
    assert answer.json()["token"] is None
    assert "__Host-session=gws_" in answer.headers["set-cookie"]
    assert (await ann.call("GET", "/v1/factors")).status_code == 401


async def test_an_admin_takes_the_factors_of_somebody_who_lost_them(api: TestApi) -> None:
    """Stepped up; every session ends, it is on record with the merchant, and there is mail."""
    boss = await person(api, "ADMIN")
    ann, clerk = await person(api), await person(api, "OPERATOR")
    for each in (ann, clerk):
        await each.step_up()
        await each.set_up_app()
        await each.set_up_passkey(Authenticator(credential_id=each.id.encode()))
    path = f"/v1/users/{ann.id}/factors"
    assert_problem(await boss.call("DELETE", path), 403, "step_up_required")
    await boss.set_up_app()
    for each in (ann, clerk):
        refused = await each.call("DELETE", f"/v1/users/{boss.id}/factors")
        assert_problem(refused, 403, "insufficient_scope")
        await boss.ok("DELETE", f"/v1/users/{each.id}/factors")
        assert (await each.call("GET", "/v1/factors")).status_code == 401
        assert "An admin removed" in (await mails(api, each.email))[-1]
        each.app = None
        await each.sign_in()
        none = await each.ok("GET", "/v1/factors")
        assert (none["passkeys"], none["recovery_codes_left"]) == ([], 0)
        await each.step_up()
    for nobody in (boss.id, "usr_nobody"):
        answer = await boss.call("DELETE", f"/v1/users/{nobody}/factors")
        assert_problem(answer, 404, "not_found")
    query = (
        "SELECT merchant_id, actor FROM audit_log WHERE action = 'factors.reset' ORDER BY id"
    )
    rows = [tuple(row) for row in await api.rows(query)]
    assert rows == [(ann.merchant_id, boss.id), (None, boss.id)]


async def test_plain_sql_of_the_api_changes_nobodys_factors(api: TestApi) -> None:
    """Not even its own tenant's: that takes the token of a live session that stepped up."""
    ann = await person(api)
    await ann.set_up_app()
    await ann.set_up_passkey(Authenticator())
    assert ann.merchant_id is not None
    for statement in (
        "UPDATE totp SET secret = 'x'",
        "DELETE FROM totp",
        "DELETE FROM passkey",
        "UPDATE passkey SET public_key = 'x'",
        "INSERT INTO passkey VALUES ('p', 'u', 'n', 'c', 'k', 0, '{}', now(), NULL)",
        "UPDATE recovery_code SET used_at = NULL",
        "SELECT code_hash FROM recovery_code",
        "SELECT challenge FROM passkey_challenge",
        "SELECT token_hash FROM user_session",
        "SELECT end_other_sessions(NULL, now())",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with api.database.unit_of_work(ann.merchant_id) as session:
                await session.execute(text(statement))
    stale = await ann.beside()
    values: dict[str, Any] = {"at": api.clock.at}
    for token in (stale.token, "gws_nobody's"):
        values["token"] = tokens.hashed(token)
        async with api.database.unit_of_work(ann.merchant_id) as session:
            for call in (
                "offer_totp(:token, 'x', :at)",
                "drop_totp(:token, :at)",
                "write_recovery_codes(:token, '{}', :at)",
                "ask_challenge(:token, 'create', decode(repeat('00', 32), 'hex'), :at, :at)",
                "add_passkey(:token, 'p', 'n', 'c', 'k', 0, '{}', :at)",
                f"drop_passkey(:token, (SELECT id FROM passkey WHERE user_id = '{ann.id}'), :at)",
            ):
                assert await session.scalar(text(f"SELECT {call}"), values) is False
            reset = text("SELECT * FROM reset_factors(:token, :person, :at)")
            found = await session.execute(reset, {**values, "person": ann.id})
            assert found.all() == []
    shown = await ann.ok("GET", "/v1/factors")
    assert (len(shown["passkeys"]), shown["recovery_codes_left"]) == (1, 10)


async def test_factors_are_a_tenants_own_and_no_secret_lies_open(api: TestApi) -> None:
    """Another tenant sees none of them; secrets are in no table, record or mail."""
    ann, bob = await person(api), await person(api)
    await ann.set_up_app()
    await ann.set_up_passkey(Authenticator())
    assert ann.app is not None
    for tenant, seen in ((ann.merchant_id, 1), (bob.merchant_id, 0), (None, 0)):
        async with api.database.unit_of_work(tenant) as session:
            for table in ("totp", "passkey", "(SELECT DISTINCT user_id FROM recovery_code)"):
                counted = await session.scalar(text(f"SELECT count(*) FROM {table} t"))
                assert counted == seen, (tenant, table)
    async with api.database.unit_of_work(bob.merchant_id) as session:
        assert ann.merchant_id is not None
        async with acting_for(session, ann.merchant_id):
            assert await session.scalar(text("SELECT count(*) FROM totp")) == 1
    dumped = ""
    for table in ("totp", "recovery_code", "audit_log", "notification", "idempotency_key"):
        rows = await api.rows(f"SELECT to_jsonb(t)::text AS row FROM {table} t")
        dumped += "".join(row.row for row in rows)
    assert "totp.confirmed" in dumped
    for secret in (ann.app.secret, *ann.spare, ann.spare[0].replace("-", "")):
        assert secret not in dumped
    assert "session.stepped_up" in await deeds(api, ann.id)
