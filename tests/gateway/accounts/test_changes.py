"""Keys over HTTP: looked at, narrowed, rolled, limited; never widened."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio


async def _key_id(api: TestApi, key: str) -> str:
    """Return the id of the key itself: its name is the tests' own."""
    listed = (await api.call("GET", "/v1/api_keys", key)).json()["data"]
    [found] = [row["id"] for row in listed if row["prefix"] == key[:12]]
    return str(found)


async def test_a_key_is_narrowed_and_never_widened(api: TestApi) -> None:
    """Scopes, addresses, end and limit only get less; every refusal names its field."""
    _, key = await api.merchant_and_key()
    body = {
        "name": "till",
        "scopes": ["invoices:read", "invoices:write"],
        "allowed_ips": ["127.0.0.0/8", "2001:db8::/32"],
        "expires_at": "2027-06-01T00:00:00Z",
        "requests_per_minute": 50,
    }
    made = (await api.call("POST", "/v1/api_keys", key, json=body)).json()
    assert made["created_by"] == await _key_id(api, key)
    path = f"/v1/api_keys/{made['id']}"

    async def refused(**fields: Any) -> tuple[str, str]:
        answer = await api.call("PATCH", path, key, json=fields)
        assert answer.status_code == 422, answer.text
        fault = answer.json()["errors"][0]
        return fault["pointer"], fault["code"]

    wider = "wider_than_before"
    scopes = ["invoices:read", "withdrawals:create"]
    assert await refused(scopes=scopes) == ("/scopes/1", wider)
    assert await refused(allowed_ips=[]) == ("/allowed_ips", wider)
    networks = ["127.0.0.1", "126.0.0.0/7"]
    assert await refused(allowed_ips=networks) == ("/allowed_ips/1", wider)
    assert await refused(allowed_ips=["::7f00:1"]) == ("/allowed_ips/0", wider)
    assert await refused(allowed_ips=["x"]) == ("/allowed_ips/0", "invalid_network")
    assert await refused(expires_at="2027-06-02T00:00:00Z") == ("/expires_at", wider)
    assert await refused(expires_at="2020-01-01T00:00:00Z") == ("/expires_at", "invalid_time")
    assert await refused(requests_per_minute=51) == ("/requests_per_minute", wider)
    short = b64encode(bytes(31)).decode()
    assert await refused(public_key=short) == ("/public_key", "invalid")
    assert (await api.call("GET", path, key)).json() == {**made, "key": None}

    public = b64encode(bytes(range(32))).decode()
    less = {
        "name": "till 2",
        "scopes": ["invoices:read"],
        "allowed_ips": ["127.0.0.1", "2001:db8:1::/48"],
        "expires_at": "2027-05-01T00:00:00Z",
        "requests_per_minute": 2,
        "public_key": public,
    }
    changed = (await api.call("PATCH", path, key, json=less)).json()
    assert {name: changed[name] for name in less} == less
    await api.call("PATCH", path, key, json=less)
    rows = await api.rows(
        "SELECT * FROM audit_log WHERE subject = :s ORDER BY id", s=made["id"]
    )
    assert [row.action for row in rows] == ["api_key.created", "api_key.changed"]
    assert rows[1].before["scopes"] == body["scopes"]
    assert rows[1].after["public_key"] == public


async def test_a_keys_own_limit_counts_below_the_houses(api: TestApi) -> None:
    """The lower one of both, told in the headers; where it came from is kept."""
    _, key = await api.merchant_and_key()
    body = {"name": "slow", "scopes": ["settings:read"], "requests_per_minute": 2}
    slow = (await api.call("POST", "/v1/api_keys", key, json=body)).json()
    answers = [await api.call("GET", "/v1/merchant", slow["key"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"default";q=2;w=60'
    shown = (await api.call("GET", f"/v1/api_keys/{slow['id']}", key)).json()
    assert shown["last_used_address"] == "127.0.0.1"
    assert shown["last_used_at"] is not None


async def test_a_rolled_key_has_two_secrets_until_the_overlap_is_over(api: TestApi) -> None:
    """Same id, both prefixes shown; a second roll ends the oldest, revoking ends all."""
    _, key = await api.merchant_and_key()
    key_id = await _key_id(api, key)

    async def works(secret: str) -> bool:
        answer = await api.call("GET", "/v1/merchant", secret)
        return answer.status_code == 200

    async def rolled(secret: str, seconds: int) -> dict[str, Any]:
        path, body = f"/v1/api_keys/{key_id}/roll", {"overlap_seconds": seconds}
        headers = {"Idempotency-Key": f"{secret[-8:]} {seconds}"}
        answer = await api.call("POST", path, secret, json=body, headers=headers)
        again = await api.call("POST", path, secret, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        if seconds:
            assert again.json() == answer.json()
        return dict(answer.json())

    second = await rolled(key, 60)
    assert (second["id"], second["previous_prefix"]) == (key_id, key[:12])
    assert second["prefix"] == second["key"][:12]
    assert await works(key)
    assert await works(second["key"])
    third = await rolled(second["key"], 60)
    assert [await works(each) for each in (key, second["key"], third["key"])] == [
        False,
        True,
        True,
    ]
    api.clock.at += timedelta(seconds=61)
    assert [await works(each) for each in (second["key"], third["key"])] == [False, True]
    fourth = await rolled(third["key"], 0)
    assert (fourth["previous_prefix"], await works(third["key"])) == (None, False)
    fifth = await rolled(fourth["key"], 60)
    await api.call("DELETE", f"/v1/api_keys/{key_id}", fifth["key"])
    assert [await works(each) for each in (fourth["key"], fifth["key"])] == [False, False]
    rows = await api.rows("SELECT row_to_json(a)::text AS text FROM audit_log a")
    assert "api_key.rolled" in str(rows)
    assert not any(each["key"] in str(rows) for each in (second, third, fourth, fifth))


async def test_nobody_rolls_themselves_into_rights_or_into_somebody_else(api: TestApi) -> None:
    """More rights are refused; a key that moves money only to itself and its maker."""
    merchant_id = await api.merchant()
    asker = await api.key(
        merchant_id, ["settings:read", "settings:write", "withdrawals:create"]
    )
    approver = await api.key(merchant_id)
    reader = await api.key(merchant_id, ["settings:read"])
    ids = {each: await _key_id(api, each) for each in (asker, approver, reader)}

    async def roll(caller: str, key_id: str) -> tuple[int, str | None]:
        answer = await api.call("POST", f"/v1/api_keys/{key_id}/roll", caller, json={})
        return answer.status_code, answer.json().get("code")

    assert await roll(asker, ids[approver]) == (403, "insufficient_scope")
    assert await roll(approver, ids[asker]) == (403, "not_its_maker")
    assert await roll(asker, ids[reader]) == (201, None)
    assert await roll(approver, ids[approver]) == (201, None)
    body = {"name": "mine", "scopes": ["withdrawals:create", "settings:write"]}
    mine = (await api.call("POST", "/v1/api_keys", asker, json=body)).json()
    assert mine["created_by"] == ids[asker]
    assert await roll(asker, mine["id"]) == (201, None)
    body = {"name": "its", "scopes": ["withdrawals:create"]}
    its = (await api.call("POST", "/v1/api_keys", mine["key"], json=body)).json()
    assert its["created_by"] == ids[asker]

    _, stranger = await api.merchant_and_key()
    for key_id in (ids[reader], "key_nobody"):
        assert await roll(stranger, key_id) == (404, "not_found")
        for method, extra in (("GET", {}), ("PATCH", {"json": {"name": "x"}})):
            answer = await api.call(method, f"/v1/api_keys/{key_id}", stranger, **extra)
            assert answer.status_code == 404
    await api.call("DELETE", f"/v1/api_keys/{ids[reader]}", asker)
    assert await roll(asker, ids[reader]) == (409, "api_key_revoked")
