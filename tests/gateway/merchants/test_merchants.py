"""Merchants: opened by operators, changed by both, every change on record."""

from typing import Any

import pytest

from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio


async def _audit(api: TestApi, subject: str) -> list[Any]:
    return await api.rows("SELECT * FROM audit_log WHERE subject = :s ORDER BY id", s=subject)


async def test_an_operator_opens_an_account(api: TestApi) -> None:
    """With the house's defaults, and with whatever the operator says."""
    operator = await api.key(None)
    answer = await api.call("POST", "/v1/merchants", operator, json={"name": "Shop"})
    assert answer.status_code == 201
    document = answer.json()
    assert document["id"].startswith("mer_")
    assert document["invoice_expiry_minutes"] == 60
    assert document["monitoring_days"] == 7
    assert document["payment_tolerance_percent"] == "0.5"
    body = {
        "name": "Other",
        "email": "shop@example.com",
        "invoice_expiry_minutes": 15,
        "monitoring_days": 30,
        "payment_tolerance_percent": "0",
    }
    other = (await api.call("POST", "/v1/merchants", operator, json=body)).json()
    assert {name: other[name] for name in body} == body
    shown = await api.call("GET", f"/v1/merchants/{other['id']}", operator)
    assert shown.json() == other


async def test_a_merchant_changes_its_own_settings(api: TestApi) -> None:
    """Only the fields that were sent; the answer is what reads give afterwards."""
    merchant_id, key = await api.merchant_and_key()
    await api.merchant("Bystander")
    body = {"payment_tolerance_percent": "1.25", "email": "a@b.example"}
    changed = await api.call("PATCH", "/v1/merchant", key, json=body)
    assert changed.status_code == 200
    assert changed.json()["payment_tolerance_percent"] == "1.25"
    assert (await api.call("GET", "/v1/merchant", key)).json() == changed.json()
    cleared = await api.call("PATCH", "/v1/merchant", key, json={"email": None})
    assert cleared.json()["email"] is None
    rows = await api.rows("SELECT id, tolerance_basis_points AS points FROM merchant")
    assert {row.id: row.points for row in rows}[merchant_id] == 125
    assert sorted(row.points for row in rows) == [50, 125]


async def test_an_operator_changes_any_merchant_and_no_unknown_one(api: TestApi) -> None:
    """404 for an id that nobody has."""
    merchant_id = await api.merchant()
    operator = await api.key(None)
    path = f"/v1/merchants/{merchant_id}"
    changed = await api.call("PATCH", path, operator, json={"name": "New"})
    assert changed.json()["name"] == "New"
    for method, path in [
        ("GET", "/v1/merchants/mer_nobody"),
        ("PATCH", "/v1/merchants/mer_nobody"),
        ("POST", "/v1/merchants/mer_nobody/api_keys"),
    ]:
        body = {"name": "x"} | ({"scopes": ["invoices:read"]} if method == "POST" else {})
        answer = await api.call(method, path, operator, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_every_change_is_on_record_with_both_sides(api: TestApi) -> None:
    """Who, from where, by which request; a change of nothing leaves nothing."""
    merchant_id, key = await api.merchant_and_key()
    answer = await api.call("PATCH", "/v1/merchant", key, json={"name": "New"})
    await api.call("PATCH", "/v1/merchant", key, json={"name": "New"})
    await api.call("PATCH", "/v1/merchant", key, json={"name": "Nein", "monitoring_days": 0})
    created, changed = await _audit(api, merchant_id)
    assert created.action == "merchant.created"
    assert created.merchant_id == merchant_id
    assert created.after["name"] == "Shop"
    assert changed.action == "merchant.changed"
    assert (changed.before, changed.after) == ({"name": "Shop"}, {"name": "New"})
    assert changed.actor.startswith("key_")
    assert changed.address == "127.0.0.1"
    assert changed.endpoint == "PATCH /v1/merchant"
    assert changed.request_id == answer.headers["x-request-id"]


async def test_a_merchant_makes_and_revokes_keys(api: TestApi) -> None:
    """The secret is in the first answer only; after revocation the key is worth nothing."""
    _, key = await api.merchant_and_key()
    body = {"name": "till", "scopes": ["settings:read"], "allowed_ips": ["127.0.0.1"]}
    made = (await api.call("POST", "/v1/api_keys", key, json=body)).json()
    assert made["key"].startswith(made["prefix"])
    listed = (await api.call("GET", "/v1/api_keys", key)).json()["data"]
    assert {row["name"]: row["key"] for row in listed} == {"till": None, "test": None}
    assert (await api.call("GET", "/v1/merchant", made["key"])).status_code == 200
    path = f"/v1/api_keys/{made['id']}"
    revoked = await api.call("DELETE", path, key)
    assert revoked.json()["revoked_at"] is not None
    assert (await api.call("GET", "/v1/merchant", made["key"])).status_code == 401
    again = await api.call("DELETE", path, key)
    assert again.json()["revoked_at"] == revoked.json()["revoked_at"]
    actions = [row.action for row in await _audit(api, made["id"])]
    assert actions == ["api_key.created", "api_key.revoked"]
    rows = await api.rows("SELECT row_to_json(a)::text AS text FROM audit_log a")
    assert made["key"] not in str(rows)


async def test_a_key_grants_only_what_it_has(api: TestApi) -> None:
    """Neither a scope it lacks nor an operator's, nor the other mode."""
    merchant_id = await api.merchant()
    key = await api.key(merchant_id, ["settings:write", "invoices:read"])

    async def code(scopes: list[str], **more: Any) -> Any:
        body = {"name": "x", "scopes": scopes, **more}
        return (await api.call("POST", "/v1/api_keys", key, json=body)).json().get("code")

    assert await code(["invoices:read"]) is None
    assert await code(["invoices:write"]) == "insufficient_scope"
    assert await code(["merchants:write"]) == "unknown_scope"
    assert await code(["invoices:read"], livemode=True) == "livemode_not_allowed"
    assert await code(["invoices:read"], allowed_ips=["10.0.0.0/33"]) == "invalid_network"
    assert await code(["invoices:read"], expires_at="2020-01-01T00:00:00Z") == "invalid_time"
    assert await code(["invoices:read"], expires_at="2030-01-01T00:00:00") == "invalid"


async def test_an_operator_makes_keys_for_merchants(api: TestApi) -> None:
    """Every scope of a merchant; live ones only with a live key."""
    merchant_id = await api.merchant()
    path = f"/v1/merchants/{merchant_id}/api_keys"
    body = {"name": "first", "scopes": ["settings:read", "withdrawals:approve"]}
    test, live = await api.key(None), await api.key(None, livemode=True)
    made = (await api.call("POST", path, test, json=body)).json()
    assert (made["merchant_id"], made["livemode"]) == (merchant_id, False)
    assert (await api.call("GET", "/v1/merchant", made["key"])).status_code == 200
    wanted = {**body, "livemode": True}
    refused = await api.call("POST", path, test, json=wanted)
    assert refused.json()["errors"][0]["pointer"] == "/livemode"
    assert (await api.call("POST", path, live, json=wanted)).json()["livemode"] is True
    refused = await api.call("POST", path, live, json={**body, "scopes": ["merchants:write"]})
    assert refused.json()["code"] == "unknown_scope"
