"""Which key was made with which: ends that carry on, makers that stay one, budgets of the shop's own."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from gateway.domain.actor import may_come_from
from gateway.domain.roles import scopes_of
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio
SCOPES = ["settings:read", "settings:write"]
INSERT = (
    "INSERT INTO api_key (id, merchant_id, name, prefix, key_hash, scopes, livemode, created_at,"
    " created_by, made_with) SELECT :id, merchant_id, 'x', 'x', '\\x00', '{}', false, now(),"
    " created_by, id FROM api_key WHERE id = :key RETURNING 1"
)
WAITING = (
    "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE datname = current_database() AND NOT granted"
)


async def made(api: TestApi, key: str, **fields: Any) -> dict[str, Any]:
    """Make a key with another one; return its document."""
    body = {"name": "x", "scopes": SCOPES, **fields}
    answer = await api.call("POST", "/v1/api_keys", key, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def works(api: TestApi, key: dict[str, Any]) -> bool:
    """Tell whether a key is in force."""
    return (await api.call("GET", "/v1/networks", key["key"])).status_code == 200


async def test_a_key_takes_with_it_what_was_made_with_it(api: TestApi) -> None:
    """Children and theirs, in one step and on record; its own maker and its sisters stay."""
    merchant_id, first = await api.merchant_and_key()
    stolen = await made(api, first)
    child = await made(api, stolen["key"])
    grandchild = await made(api, child["key"])
    ended_before = await made(api, stolen["key"])
    await api.call("DELETE", f"/v1/api_keys/{ended_before['id']}", first)
    sister = await made(api, first)
    assert (child["made_with"], grandchild["made_with"]) == (stolen["id"], child["id"])
    assert child["created_by"] == stolen["made_with"], "the first key is behind them all"

    answer = await api.call("DELETE", f"/v1/api_keys/{stolen['id']}", first)
    assert answer.json()["ended"] == [child["id"], grandchild["id"]]
    assert [await works(api, key) for key in (stolen, child, grandchild, sister)] == [
        False, False, False, True,
    ]  # fmt: skip
    rows = await api.rows(
        "SELECT subject, merchant_id, after->>'with' AS cause FROM audit_log"
        " WHERE action = 'api_key.revoked' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        (ended_before["id"], merchant_id, None),
        (stolen["id"], merchant_id, None),
        (child["id"], merchant_id, stolen["id"]),
        (grandchild["id"], merchant_id, stolen["id"]),
    ]
    again = await api.call("DELETE", f"/v1/api_keys/{stolen['id']}", first)
    assert (again.status_code, again.json()["ended"]) == (200, [])


async def test_no_key_is_made_with_one_that_is_ending(api: TestApi) -> None:
    """Whoever is quick makes none between the end of a key and that of its children."""
    _, first = await api.merchant_and_key()
    stolen = await made(api, first)
    path = f"/v1/api_keys/{stolen['id']}"
    body = {"name": "x", "scopes": SCOPES}
    await asyncio.gather(
        api.call("DELETE", path, first),
        *(api.call("POST", "/v1/api_keys", stolen["key"], json=body) for _ in range(5)),
    )
    alive = "SELECT id FROM api_key WHERE made_with = :key AND revoked_at IS NULL"
    assert await api.rows(alive, key=stolen["id"]) == []
    with pytest.raises(IntegrityError, match="not in force"):
        await api.rows(
            "INSERT INTO api_key (id, merchant_id, name, prefix, key_hash, scopes, livemode,"
            " created_at, created_by, made_with) SELECT 'key_late', merchant_id, 'x', 'x', '\\x00',"
            " '{}', false, now(), created_by, id FROM api_key WHERE id = :key RETURNING 1",
            key=stolen["id"],
        )


async def test_what_is_being_made_ends_with_what_it_hangs_on(api: TestApi) -> None:
    """A grandchild that is written while the stolen key is being revoked is seen after the wait."""
    _, first = await api.merchant_and_key()
    stolen = await made(api, first)
    child = await made(api, stolen["key"])
    async with api.owner.unit_of_work(None) as session:
        await session.execute(text(INSERT), {"id": "key_late", "key": child["id"]})
        ending = asyncio.create_task(api.call("DELETE", f"/v1/api_keys/{stolen['id']}", first))
        while not await api.rows(WAITING):
            assert not ending.done(), "it waits for the key that is being made"
    assert (await ending).json()["ended"] == [child["id"], "key_late"]


async def test_a_key_that_loses_against_the_end_of_its_maker_is_refused(api: TestApi) -> None:
    """It waits for the revocation, and is told so: 403."""
    _, first = await api.merchant_and_key()
    stolen = await made(api, first)
    body = {"name": "x", "scopes": SCOPES}
    async with api.owner.unit_of_work(None) as session:
        ended = text("UPDATE api_key SET revoked_at = now() WHERE id = :key")
        await session.execute(ended, {"key": stolen["id"]})
        asking = asyncio.create_task(api.call("POST", "/v1/api_keys", stolen["key"], json=body))
        while not await api.rows(WAITING):
            assert not asking.done(), "it waits for the end of the key"
    answer = await asking
    assert (answer.status_code, answer.json()["code"]) == (403, "key_ended")


async def test_the_door_and_the_budget_read_an_address_alike(api: TestApi) -> None:
    """Every spelling of an IPv4 address within IPv6 is that address to both."""
    sources = (
        "1.2.3.4", "::ffff:1.2.3.4", "::FFFF:1.2.3.4", "::ffff:102:304",
        "0:0:0:0:0:ffff:1.2.3.4", "0000::ffff:0102:0304", "::ffff:255.255.255.255",
        "::1.2.3.4", "2001:db8::1",
    )  # fmt: skip
    networks = ("1.2.3.0/24", "1.2.3.9/24", "::ffff:1.2.3.0/120", "2001:db8::/32", "0.0.0.0/0")
    for source in sources:
        for network in networks:
            [row] = await api.rows(
                "SELECT is_within(:source, ARRAY[:network]) AS inside",
                source=source,
                network=network,
            )
            assert row.inside == may_come_from(source, [network]), (source, network)


async def test_plain_sql_makes_no_key_of_nobody_and_approves_in_nobodys_name(
    api: TestApi,
) -> None:
    """As gw_api: a key has somebody behind it, and an approver is in force and of this merchant."""
    merchant_id, _ = await api.merchant_and_key()
    other_id, _ = await api.merchant_and_key()
    keys = {
        row.merchant_id: row.id
        for row in await api.rows("SELECT id, merchant_id FROM api_key WHERE merchant_id <> ''")
    }
    for maker in (None, "somebody", keys[other_id]):
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with api.database.unit_of_work(merchant_id) as session:
                statement = text(
                    "INSERT INTO api_key (id, merchant_id, name, prefix, key_hash, scopes,"
                    " livemode, created_at, created_by) VALUES ('key_mine', :merchant, 'x', 'x',"
                    " '\\x01', '{withdrawals:approve}', false, now(), :maker)"
                )
                await session.execute(statement, {"merchant": merchant_id, "maker": maker})
    ask = "SELECT may_have_approved(:creator, :approver, 'USDC-ETHEREUM', 1000000000) AS may"
    told = [
        "somebody", "", keys[other_id], keys[merchant_id],
    ]  # fmt: skip
    async with api.owner.unit_of_work(merchant_id) as session:
        answers = [
            (
                await session.execute(text(ask), {"creator": "key_else", "approver": each})
            ).scalar()
            for each in told
        ]
    assert answers == [False, False, False, True]


async def test_who_may_approve_is_the_same_in_the_database(api: TestApi) -> None:
    """The roles of a team that approve are those that the house's sets name."""
    [row] = await api.rows("SELECT prosrc FROM pg_proc WHERE proname = 'may_have_approved'")
    approving = {
        role
        for role in ("owner", "manager", "developer", "accountant", "viewer")
        if "withdrawals:approve" in scopes_of("MERCHANT", role)
    }
    named = row.prosrc.partition("team_role IN (")[2].partition(")")[0]
    assert {each.strip(" '") for each in named.split(",")} == approving


async def test_a_thief_elsewhere_spends_nothing_of_the_shops_budget(api: TestApi) -> None:
    """From a forbidden address a key is refused and not counted, the merchant's list included."""
    _, first = await api.merchant_and_key()
    own = {"allowed_ips": ["10.0.0.0/8", "192.0.2.1"], "requests_per_minute": 2}
    for network in ("10.0.0.0/255.0.0.0", "::ffff:127.0.0.1", "2001:db8::/32"):
        key = await made(api, first, requests_per_minute=1)
        await api.rows(  # as it may stand there from before such lists were looked at
            "UPDATE api_key SET allowed_ips = ARRAY[:network] WHERE id = :key RETURNING 1",
            network=network, key=key["id"],
        )  # fmt: skip
        answers = [await api.call("GET", "/v1/networks", key["key"]) for _ in range(3)]
        assert {answer.status_code for answer in answers} <= {200, 403, 429}, network
    key = await made(api, first, **own)
    for _ in range(4):
        refused = await api.call("GET", "/v1/networks", key["key"])
        assert (refused.status_code, refused.json()["code"]) == (403, "ip_not_allowed")
    assert await api.rows("SELECT 1 FROM rate_window WHERE key_id = :key", key=key["id"]) == []

    free = await made(api, first, requests_per_minute=5)
    await api.rows(
        "INSERT INTO merchant_settings (merchant_id, allowed_ips, updated_at)"
        " SELECT merchant_id, '{192.0.2.0/24}', now() FROM api_key WHERE id = :key RETURNING 1",
        key=free["id"],
    )
    for _ in range(6):
        refused = await api.call("GET", "/v1/networks", free["key"])
        assert (refused.status_code, refused.json()["code"]) == (403, "ip_not_allowed")
    await api.rows("UPDATE merchant_settings SET allowed_ips = '{127.0.0.1}' RETURNING 1")
    answer = await api.call("GET", "/v1/networks", free["key"])
    assert answer.headers["RateLimit"].startswith('"default";r=4'), answer.headers
