"""A key does not slip its own limits by making another, nor hand out another one's second secret."""

from base64 import b64encode
from typing import Any

import pytest

from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio
PUBLIC = b64encode(bytes(range(32))).decode()


async def _made(api: TestApi, key: str, **fields: Any) -> Any:
    body = {"name": "x", "scopes": ["settings:read", "settings:write"], **fields}
    return await api.call("POST", "/v1/api_keys", key, json=body)


async def test_a_key_makes_keys_within_its_own_limits(api: TestApi) -> None:
    """Addresses, end and limit are taken over where nothing is said, and never widened."""
    _, key = await api.merchant_and_key()
    limits = {
        "allowed_ips": ["127.0.0.0/8"],
        "expires_at": "2027-06-01T00:00:00Z",
        "requests_per_minute": 50,
    }
    narrow = (await _made(api, key, **limits)).json()
    for wider in (
        {"allowed_ips": ["0.0.0.0/0"]},
        {"expires_at": "2027-06-01T00:00:01Z"},
        {"requests_per_minute": 51},
    ):
        answer = await _made(api, narrow["key"], **wider)
        assert answer.status_code == 422, answer.text
        fault = answer.json()["errors"][0]
        assert (fault["pointer"].removesuffix("/0"), fault["code"]) == (
            f"/{next(iter(wider))}",
            "wider_than_before",
        )
    child = (await _made(api, narrow["key"])).json()
    assert {name: child[name] for name in limits} == limits
    less = {**limits, "allowed_ips": ["127.0.0.1"], "requests_per_minute": 2}
    child = (await _made(api, narrow["key"], **less)).json()
    assert {name: child[name] for name in less} == less
    free = (await _made(api, key)).json()
    assert (free["allowed_ips"], free["expires_at"]) == ([], None)


@pytest.mark.parametrize(
    "network", ["::ffff:1.2.3.4", "::ffff:0:0/96", "::ffff:10.0.0.0/104", "fe80::1%eth0"]
)
async def test_a_network_that_nobody_can_come_from_is_refused(
    api: TestApi, network: str
) -> None:
    """Callers are known by their IPv4 address and without an interface: such a key would never work."""
    _, key = await api.merchant_and_key()
    refused = await _made(api, key, allowed_ips=["127.0.0.1", network])
    assert refused.status_code == 422, refused.text
    [fault] = refused.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/allowed_ips/1", "invalid_network")
    assert (await _made(api, key, allowed_ips=["::/0", "::fffe:0:0/95"])).status_code == 201


async def test_an_end_that_no_answer_could_show_is_refused(api: TestApi) -> None:
    """A key whose end is behind the year 9999 would hide every key from its owner's list."""
    _, key = await api.merchant_and_key()
    listed = (await api.call("GET", "/v1/api_keys", key)).json()["data"]
    for end in ("9999-12-31T23:59:59-14:00", "2200-01-01T00:00:00Z"):
        made = await _made(api, key, expires_at=end)
        assert made.json()["errors"][0]["code"] == "invalid_time"
        path = f"/v1/api_keys/{listed[0]['id']}"
        changed = await api.call("PATCH", path, key, json={"expires_at": end})
        assert changed.json()["errors"][0]["code"] == "invalid_time"
    assert (await api.call("GET", "/v1/api_keys", key)).json()["data"] == listed


async def test_nobody_gives_anothers_money_key_a_public_key(api: TestApi) -> None:
    """Whoever holds its stolen secret could sign with it then; the key itself and its maker may."""
    merchant_id = await api.merchant()
    paying = await api.key(merchant_id)
    builder = await api.key(merchant_id, ["settings:read", "settings:write"])
    [row] = [
        row
        for row in (await api.call("GET", "/v1/api_keys", builder)).json()["data"]
        if row["prefix"] == paying[:12]
    ]
    path, body = f"/v1/api_keys/{row['id']}", {"public_key": PUBLIC}
    refused = await api.call("PATCH", path, builder, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    other = await api.key(merchant_id)
    refused = await api.call("PATCH", path, other, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_its_maker")
    renamed = await api.call("PATCH", path, builder, json={"name": "till"})
    assert renamed.json()["name"] == "till"
    assert (await api.call("PATCH", path, paying, json=body)).json()["public_key"] == PUBLIC


async def test_so_many_keys_are_in_force_at_once(api: TestApi) -> None:
    """Each has a budget of its own, so their number is bounded; a revoked one makes room."""
    merchant_id, key = await api.merchant_and_key()
    await api.rows(
        "INSERT INTO api_key (id, merchant_id, name, prefix, key_hash, scopes, livemode,"
        " created_at) SELECT 'key_' || n, :merchant, 'x', 'x', sha256(convert_to(n::text, 'UTF8')),"
        " '{}', n > 198, now() FROM generate_series(1, 400) n RETURNING 1",
        merchant=merchant_id,
    )
    last = await _made(api, key)
    assert last.status_code == 201
    full = await _made(api, key)
    assert (full.status_code, full.json()["code"]) == (409, "too_many_keys")
    await api.call("DELETE", f"/v1/api_keys/{last.json()['id']}", key)
    assert (await _made(api, key)).status_code == 201


async def test_keys_of_a_key_that_was_narrowed_are_flagged(api: TestApi) -> None:
    """A narrowed maker counts like a lesser role."""
    _, key = await api.merchant_and_key()
    child = (await _made(api, key)).json()
    path = f"/v1/api_keys/{child['id']}"

    async def flagged() -> bool:
        shown = await api.call("GET", path, child["key"])
        return bool(shown.json()["outlives_maker"])

    assert (child["outlives_maker"], await flagged()) == (False, False)
    maker = f"/v1/api_keys/{child['created_by']}"
    await api.call("PATCH", maker, key, json={"scopes": ["settings:read", "settings:write"]})
    assert not await flagged()
    renamed = await api.call("PATCH", maker, key, json={"scopes": ["settings:write"]})
    assert renamed.status_code == 200
    assert await flagged()
