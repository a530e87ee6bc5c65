"""Who may pass: keys, scopes, addresses, modes."""

import pytest
from litestar.routes import HTTPRoute
from sqlalchemy import text

from gateway.accounts.keys import new_key
from gateway.domain.actor import may_come_from
from gateway.http.auth import requires
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio

PUBLIC = {"/v1/health", "/v1/health/ready", "/metrics", "/schema/openapi.json"}
DOORS = {
    ("POST", "/v1/email_proofs/confirm"),
    ("POST", "/v1/invitations/accept"),
    ("POST", "/v1/password_resets"),
    ("POST", "/v1/password_resets/confirm"),
    ("POST", "/v1/sessions"),
}
"""Where somebody becomes known: by a password, or by a token from a letter."""


async def test_every_route_under_v1_asks_for_a_key_unless_it_is_health(api: TestApi) -> None:
    """Without a key each of them is 401 with a challenge, before it looks at anything else."""
    seen = set()
    for route in api.api.litestar.routes:
        if not isinstance(route, HTTPRoute) or not route.path.startswith("/v1"):
            continue
        if route.path in PUBLIC:
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS"}:
                if (method, route.path) in DOORS:
                    continue
                seen.add((method, route.path))
                assert any(isinstance(guard, requires) for guard in handler.resolve_guards())
                answer = await api.call(method, route.path.replace("{", "").replace("}", ""))
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
                assert answer.headers["www-authenticate"] == "Bearer"
    assert len(seen) > 10


async def test_only_a_known_key_in_force_passes(api: TestApi) -> None:
    """Unknown, mistyped, revoked, expired and of nobody any more look the same: 401."""
    merchant_id, good = await api.merchant_and_key()
    expiring = await api.key(merchant_id, expires_at=api.clock().at.replace(year=2027))
    unknown = new_key(bytes(32), livemode=False)
    other_scheme = {"Authorization": f"Basic {good}"}
    assert (await api.call("GET", "/v1/merchant", headers=other_scheme)).status_code == 401
    for key in (unknown, good[:-1], good + "0", good.swapcase(), f"{good}\xe9", "", "x"):
        header = [(b"Authorization", f"Bearer {key}".encode("latin-1"))]
        answer = await api.client.get("/v1/merchant", headers=header)
        assert answer.status_code == 401
    assert (await api.call("GET", "/v1/merchant", expiring)).status_code == 200
    api.clock.at = api.clock.at.replace(year=2028)
    assert (await api.call("GET", "/v1/merchant", expiring)).status_code == 401
    assert (await api.call("GET", "/v1/merchant", good)).status_code == 200
    async with api.owner.unit_of_work(None) as session:
        await session.execute(text("UPDATE merchant SET status = 'suspended'"))
    assert (await api.call("GET", "/v1/merchant", good)).status_code == 200
    refused = await api.call("PATCH", "/v1/merchant", good, json={"name": "New"})
    assert (refused.status_code, refused.json()["code"]) == (403, "merchant_suspended")
    async with api.owner.unit_of_work(None) as session:
        await session.execute(text("UPDATE merchant SET deleted_at = now()"))
    assert (await api.call("GET", "/v1/merchant", good)).status_code == 401


async def test_a_key_does_what_its_scopes_say(api: TestApi) -> None:
    """Reading is not writing, and a merchant is not an operator nor the other way round."""
    merchant_id = await api.merchant()
    reader = await api.key(merchant_id, ["settings:read"])
    operator = await api.key(None)
    assert (await api.call("GET", "/v1/merchant", reader)).status_code == 200
    for key, method, path in [
        (reader, "PATCH", "/v1/merchant"),
        (reader, "GET", "/v1/balances"),
        (reader, "POST", "/v1/merchants"),
        (reader, "GET", f"/v1/merchants/{merchant_id}"),
        (reader, "GET", "/v1/application_wallets"),
        (operator, "GET", "/v1/merchant"),
        (operator, "GET", "/v1/balances"),
    ]:
        answer = await api.call(method, path, key, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


async def test_a_key_is_used_only_from_its_addresses(api: TestApi) -> None:
    """The client of these tests is 127.0.0.1; headers of its own change nothing."""
    merchant_id = await api.merchant()
    inside = await api.key(merchant_id, allowed_ips=["10.0.0.0/8", "127.0.0.0/8"])
    outside = await api.key(merchant_id, allowed_ips=["10.0.0.0/8"])
    assert (await api.call("GET", "/v1/merchant", inside)).status_code == 200
    answer = await api.call(
        "GET", "/v1/merchant", outside, headers={"X-Forwarded-For": "10.0.0.1"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "ip_not_allowed")


async def test_only_a_fingerprint_of_a_key_is_stored(api: TestApi) -> None:
    """No column of the table holds the key, and a use is remembered."""
    merchant_id, key = await api.merchant_and_key()
    await api.call("GET", "/v1/merchant", key)
    rows = await api.rows(
        "SELECT row_to_json(k)::text AS row, prefix, last_used_at FROM api_key k"
        " WHERE merchant_id = :id",
        id=merchant_id,
    )
    assert len(rows) == 1
    assert key not in rows[0].row
    assert key.startswith(rows[0].prefix)
    assert rows[0].last_used_at is not None


def test_addresses_are_compared_as_addresses() -> None:
    """IPv6, IPv4 inside IPv6, and a client without an address."""
    assert may_come_from(None, [])
    assert may_come_from("::ffff:10.1.2.3", ["10.0.0.0/8"])
    assert may_come_from("2001:db8::1", ["10.0.0.0/8", "2001:db8::/32"])
    assert not may_come_from("2001:db9::1", ["2001:db8::/32"])
    assert not may_come_from(None, ["10.0.0.0/8"])
    assert not may_come_from("testclient", ["10.0.0.0/8"])
