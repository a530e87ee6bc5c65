"""The OpenAPI document says what the door does."""

from typing import Any

import pytest

from tests.gateway.conftest import TestApi
from tests.gateway.http.test_auth import DOORS

pytestmark = pytest.mark.anyio


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(_references(inner) for inner in value))
    return set()


async def _document(api: TestApi) -> dict[str, Any]:
    answer = await api.call("GET", "/schema/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


async def test_every_reference_leads_somewhere(api: TestApi) -> None:
    """Each `$ref` has its component."""
    document = await _document(api)
    schemas = document["components"]["schemas"]
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


async def test_every_operation_tells_its_refusals(api: TestApi) -> None:
    """Problems for each status its kind of operation can have; keys where keys are asked for."""
    document = await _document(api)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            assert {"400", "500", "503"} <= set(responses), path
            for status, response in responses.items():
                kinds = set(response.get("content", {}))
                assert kinds == {"application/problem+json"} or status < "400", (path, status)
            known = path.startswith("/v1") and (method.upper(), path) not in DOORS
            if known and not path.startswith("/v1/health"):
                assert operation["security"] == [{"key": []}]
                assert {"401", "403"} <= set(responses)
            if "{" in path:
                assert "404" in responses
            if "requestBody" in operation:
                assert {"413", "415", "422"} <= set(responses)
            if method == "post" and known:
                names = [parameter["name"] for parameter in operation["parameters"]]
                assert "Idempotency-Key" in names


async def test_a_key_that_is_needed_is_marked(api: TestApi) -> None:
    """Where money moves the header is no choice; whoever generates a client from this has to know."""
    document = await _document(api)
    needed = {
        path
        for path, operations in document["paths"].items()
        for each in operations.get("post", {}).get("parameters", [])
        if each["name"] == "Idempotency-Key" and each["required"]
    }
    assert needed == {
        "/v1/withdrawals",
        "/v1/withdrawals/batch",
        "/v1/invoices/{invoice_id}/refunds",
        "/v1/customers/{customer_id}/transfers",
    }


async def test_bodies_are_closed_and_limited(api: TestApi) -> None:
    """The schema of a request knows its limits and allows nothing more."""
    document = await _document(api)
    body = document["components"]["schemas"]["CreateMerchant"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["name"]
    assert body["properties"]["name"] == {"type": "string", "minLength": 1, "maxLength": 200}
    for operations in document["paths"].values():
        for operation in operations.values():
            if content := operation.get("requestBody"):
                for reference in _references(content):
                    name = reference.removeprefix("#/components/schemas/")
                    schema = document["components"]["schemas"][name]
                    assert schema["additionalProperties"] is False
