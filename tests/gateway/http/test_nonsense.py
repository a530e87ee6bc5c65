"""Every operation of the OpenAPI document under seeded nonsense: refused as documented, never a 500."""

from random import Random
from typing import Any

import msgspec
import pytest

from gateway.domain.actor import MERCHANT_SCOPES, OPERATOR_SCOPES
from gateway.domain.roles import HOUSE_SCOPES, TEAM_SCOPES
from tests.gateway.conftest import TestApi
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio

ROUNDS = 60
OPERATORS = OPERATOR_SCOPES - MERCHANT_SCOPES
PERSONAL = ("/v1/factors", "/v1/person", "/v1/sessions")
NASTY: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", " ", "x", "x" * 3000, "0", "-1", "1e3", "1.000", "NaN",
    "\u0661", "\u0000", "\ud7ff", "'; --", "../..", "ETH-ETHEREUM", "USD", "https://[::1", "\n",
    [], [None], ["x"] * 100, [[]], {}, {"": ""}, {"a": {"b": []}}, {"k" * 300: "v"},
]  # fmt: skip
LIKELY: dict[str, list[Any]] = {
    "activate": [["ETH-ETHEREUM"]],
    "address": ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
    "allowed_ips": [["127.0.0.1/8"]],
    "amount": ["10.00", "0.000001", "1" * 60],
    "currency": ["USD", "ETH", "XXX"],
    "destination": ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
    "email": ["a@b.example"],
    "events": [["*"], ["invoice.settled"]],
    "expires_at": [
        "2027-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
    ],
    "items": [
        [{"payment_method": "ETH-ETHEREUM", "amount": "1", "destination": "0x"}],
        [{}] * 101,
    ],
    "kind": ["full"],
    "label": ["treasury"],
    "metadata": [{"a": "b"}],
    "name": ["Shop", "\u202e"],
    "network": ["ethereum"],
    "payment_method": ["USDC-ETHEREUM"],
    "payment_methods": [["ETH-ETHEREUM"], ["ETH-ETHEREUM", "USDC-ETHEREUM"]],
    "payment_tolerance_percent": ["0.5"],
    "public_key": [None],
    "requests_per_minute": [60],
    "scopes": [["invoices:read"]],
    "url": ["https://example.com/hook"],
}
IDS = ["x", "inv_01", "%F0%9F%98%80", "%2e%2e", "a'b", "9" * 400, "key_\u00e9", "%ff", "None"]


def _reference(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for option in (schema, *schema.get("anyOf", [])):
        if "$ref" in option:
            name = option["$ref"].rpartition("/")[2]
            found: dict[str, Any] = document["components"]["schemas"][name]
            return found
    return schema


def _body(random: Random, document: dict[str, Any], operation: dict[str, Any]) -> bytes | None:
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    kind = _reference(document, schema)
    properties = list(kind.get("properties", {}))
    if random.random() < 0.1:
        return msgspec.json.encode(random.choice(NASTY))
    # A body with many fields is hardly ever all right: some have none but what has to be there.
    bare = random.random() < 0.2
    chosen = (
        set(kind.get("required", ()))
        if bare
        else {name for name in properties if random.random() < 0.7}
    )
    body = {
        name: random.choice(LIKELY.get(name, NASTY) if random.random() < 0.8 else NASTY)
        for name in sorted(chosen)
    }
    if random.random() < 0.1:
        body["surprise"] = random.choice(NASTY)
    return msgspec.json.encode(body)


async def test_nonsense_is_never_our_fault(shop: Shop) -> None:
    """Whatever comes in, what goes out is a documented status and, from 400 on, a problem."""
    api = shop  # its addresses are genuine: invoices can be made
    _, merchant = await api.merchant_and_key()
    operator = await api.key(None, livemode=True)
    document = (await api.call("GET", "/schema/openapi.json")).json()
    accepted = set()
    for template, operations in document["paths"].items():
        for method, operation in operations.items():
            # By its name: a new route elsewhere does not change what this one is asked.
            random = Random(f"20261120 {method} {template}")
            scope = operation.get("x-scope", "")
            key = operator if scope in OPERATORS else merchant
            for _ in range(ROUNDS if "requestBody" in operation else 5):
                path = template
                while "{" in path:
                    head, _, rest = path.partition("{")
                    path = head + random.choice(IDS) + rest.partition("}")[2]
                body = _body(random, document, operation)
                headers = {"Content-Type": "application/json"} if body is not None else {}
                answer = await api.call(
                    method.upper(),
                    path,
                    key,
                    content=body,
                    headers={**headers, "Idempotency-Key": f"k{random.random()}"},
                    params={"limit": random.choice([1, 50, "x"])} if method == "get" else None,
                )
                seen = (method, path, body, answer.status_code, answer.text[:300])
                if answer.status_code >= 500:  # an estimate that demands a watcher's answer
                    assert answer.json()["code"] == "network_unavailable", seen
                assert str(answer.status_code) in operation["responses"], seen
                if answer.status_code < 300:
                    accepted.add((method, template))
                else:
                    assert answer.headers["content-type"] == "application/problem+json", seen
    assert {("post", "/v1/merchants"), ("post", "/v1/api_keys")} <= accepted


async def test_an_id_that_nobody_has_is_not_found(api: TestApi) -> None:
    """Everywhere the same 404, unless the body is looked at first."""
    _, merchant = await api.merchant_and_key()
    operator = await api.key(None)
    document = (await api.call("GET", "/schema/openapi.json")).json()
    for template, operations in document["paths"].items():
        if "{" not in template:
            continue
        for method, operation in operations.items():
            key = operator if operation.get("x-scope") in OPERATORS else merchant
            path = template.replace("{", "").replace("}", "")
            if "requestBody" in operation:
                answer = await api.call(method.upper(), path, key, json={})
                allowed = {404, 422}
            else:
                answer = await api.call(method.upper(), path, key)
                allowed = {404}
            if operation.get("x-scope") in HOUSE_SCOPES | TEAM_SCOPES or template.startswith(
                PERSONAL
            ):
                allowed = {403, 422}  # a key is nobody, whatever the id
            assert answer.status_code in allowed, (method, template, answer.text)
