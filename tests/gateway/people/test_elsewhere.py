"""A session in the hands of somebody elsewhere: found, refused by name, and no burden to its person."""

from datetime import timedelta

import httpx
import pytest

from tests.gateway.people.conftest import People

pytestmark = pytest.mark.anyio
CLOSED = {"security": {"allowed_ips": ["127.0.0.0/8"]}}


async def test_a_session_used_from_a_forbidden_address_spends_nothing(people: People) -> None:
    """Neither the person's budget nor the time after which a session ends by itself."""
    owner = await people.owner_of(await people.merchant())
    closed = await people.call("PATCH", "/v1/settings", owner, json=CLOSED)
    assert closed.status_code == 200, closed.text
    window = "SELECT used FROM rate_window WHERE key_id = :id"
    person = (await people.me(owner))["id"]
    before = await people.rows(window, id=person)
    seen = "SELECT last_active_at FROM user_session WHERE revoked_at IS NULL"
    active = await people.rows(seen)
    people.clock.at += timedelta(minutes=2)
    elsewhere = httpx.ASGITransport(people.api.asgi, client=("192.0.2.7", 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://gateway") as thief:
        for _ in range(3):
            refused = await thief.get(
                "/v1/person", headers={"Authorization": f"Bearer {owner}"}
            )
            assert (refused.status_code, refused.json()["code"]) == (403, "ip_not_allowed")
            assert "ratelimit" not in refused.headers
    assert await people.rows(window, id=person) == before
    assert await people.rows(seen) == active
    answer = await people.call("GET", "/v1/person", owner)
    assert answer.headers["ratelimit"].startswith('"default";r=5999;')
    assert await people.rows(seen) != active
