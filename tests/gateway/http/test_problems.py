"""Every refusal is a problem document that points at its cause."""

import asyncio
import sys
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import URL, text

from gateway.app import create_api
from gateway.db import Database
from gateway.http import health
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
FIELDS = ["type", "title", "status", "detail", "instance", "code", "request_id", "errors"]


def assert_problem(answer: httpx.Response, status: int, code: str, *pointers: str) -> None:
    """Check the document's form, its code, and where it points."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert list(document) == FIELDS
    assert (document["status"], document["code"]) == (status, code)
    assert document["instance"] == answer.request.url.path
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["detail"]
    assert [error["pointer"] for error in document["errors"]] == list(pointers)


NOT_JSON = [
    b"{",
    b"",
    b"nul",
    b'{"name":"a"}x',
    b'{"name":"\xff"}',
    b'{"name":"\\ud800"}',
    b'{"name":NaN}',
    b"[" * 60_000,
]


async def test_what_is_not_json_is_malformed(api: TestApi) -> None:
    """Broken, empty, wrongly encoded or endlessly nested bodies are 400.

    Also where a library raised Python's recursion limit: JSON decoders recurse in C.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    _, key = await api.merchant_and_key("settings:write")
    try:
        for body in NOT_JSON:
            answer = await api.call("PATCH", "/v1/merchant", key, content=body, headers=JSON)
            assert_problem(answer, 400, "malformed_json")
    finally:
        sys.setrecursionlimit(limit)


MISFITS: list[tuple[Any, str, str]] = [
    ({"nme": "x"}, "/nme", "unknown_field"),
    ({"a/b~c": "x"}, "/a~1b~0c", "unknown_field"),
    ({"name": 1}, "/name", "type"),
    ({"name": None}, "/name", "type"),
    ({"name": ""}, "/name", "invalid"),
    ({"name": "x" * 201}, "/name", "invalid"),
    ({"name": "a\x00b"}, "/name", "invalid_text"),
    ({"invoice_expiry_minutes": "60"}, "/invoice_expiry_minutes", "type"),
    ({"invoice_expiry_minutes": 60.5}, "/invoice_expiry_minutes", "type"),
    ({"invoice_expiry_minutes": 0}, "/invoice_expiry_minutes", "invalid"),
    ({"invoice_expiry_minutes": 10**30}, "/invoice_expiry_minutes", "invalid"),
    ({"payment_tolerance_percent": 0.5}, "/payment_tolerance_percent", "type"),
    ({"payment_tolerance_percent": "-1"}, "/payment_tolerance_percent", "invalid"),
    ({"payment_tolerance_percent": "1e0"}, "/payment_tolerance_percent", "invalid"),
    ({"payment_tolerance_percent": "0.555"}, "/payment_tolerance_percent", "invalid"),
    ({"payment_tolerance_percent": "\u0665"}, "/payment_tolerance_percent", "invalid"),
    ({"payment_tolerance_percent": "5\n"}, "/payment_tolerance_percent", "invalid"),
    ({"payment_tolerance_percent": "10.01"}, "/payment_tolerance_percent", "invalid"),
    ([], "", "type"),
    ("text", "", "type"),
]


async def test_a_field_that_does_not_fit_is_pointed_at(api: TestApi) -> None:
    """422 with a JSON Pointer and a code per fault; nothing is converted on the quiet."""
    merchant_id, key = await api.merchant_and_key("settings:write")
    for body, pointer, code in MISFITS:
        answer = await api.call("PATCH", "/v1/merchant", key, json=body)
        assert answer.json()["errors"][0]["code"] == code, body
        assert_problem(answer, 422, answer.json()["code"], pointer)
    (row,) = await api.rows("SELECT name FROM merchant WHERE id = :id", id=merchant_id)
    assert row.name == "Shop"


async def test_a_missing_or_nested_field_is_pointed_at(api: TestApi) -> None:
    """The pointer names the field that is not there, and the element of a list."""
    _, key = await api.merchant_and_key()
    answer = await api.call("POST", "/v1/api_keys", key, json={"name": "x"})
    assert_problem(answer, 422, "invalid", "/scopes")
    answer = await api.call("POST", "/v1/api_keys", key, json={"name": "x", "scopes": ["a", 1]})
    assert_problem(answer, 422, "invalid", "/scopes/1")
    answer = await api.call(
        "POST", "/v1/api_keys", key, json={"name": "x", "scopes": ["invoices:read", "root"]}
    )
    assert_problem(answer, 422, "unknown_scope", "/scopes/1")


async def test_parameters_are_checked(api: TestApi) -> None:
    """A wrong query parameter is 422 and named."""
    _, key = await api.merchant_and_key("settings:read")
    for query in ("limit=0", "limit=101", "limit=x", "limit=1.5", "limit="):
        answer = await api.call("GET", f"/v1/api_keys?{query}", key)
        assert_problem(answer, 422, "invalid", "/limit")
    answer = await api.call("GET", "/v1/api_keys?starting_after=a&ending_before=b", key)
    assert_problem(answer, 422, "invalid_parameter", "/ending_before")


async def test_a_parameter_that_is_given_twice_is_refused(api: TestApi) -> None:
    """Only one of them would be read: who asks for two states would take one for both."""
    _, key = await api.merchant_and_key()
    for path in ("/v1/invoices", "/v1/invoices/export"):
        answer = await api.call("GET", f"{path}?status=pending&status=settled&q=a", key)
        assert_problem(answer, 422, "invalid", "/status")
        [fault] = answer.json()["errors"]
        assert (fault["code"], fault["detail"]) == (
            "invalid_parameter",
            "status: give it once",
        )


async def test_a_parameter_that_is_missing_is_named(api: TestApi) -> None:
    """As a field of a body is; the address of the request is not repeated."""
    _, key = await api.merchant_and_key()
    for query, name in (("?tx=aa", "network"), ("?network=tron", "tx")):
        answer = await api.call("GET", f"/v1/deposits/explain{query}", key)
        assert_problem(answer, 422, "invalid", f"/{name}")
        [fault] = answer.json()["errors"]
        assert (fault["code"], fault["detail"]) == (
            "missing",
            f"{name}: the parameter is required",
        )
    neither = await api.call("GET", "/v1/deposits/explain", key)
    faults = [(fault["pointer"], fault["code"]) for fault in neither.json()["errors"]]
    assert faults == [("/network", "missing"), ("/tx", "missing")]


async def test_an_empty_cursor_is_none(api: TestApi) -> None:
    """It would be a list without an end, or without a beginning."""
    _, key = await api.merchant_and_key()
    for name in ("starting_after", "ending_before"):
        answer = await api.call("GET", f"/v1/invoices?{name}=", key)
        assert_problem(answer, 422, "invalid", f"/{name}")


async def test_a_parameter_that_no_route_reads_is_refused(api: TestApi) -> None:
    """A misspelled filter would let every invoice through; the right one is read."""
    _, key = await api.merchant_and_key()
    for query in ("orderId=7", "order_id=7&sort=x", "created%5Bgt%5D=2026-01-01T00:00:00Z"):
        odd = {"orderId": "/orderId", "order_id": "/sort"}.get(
            query.partition("=")[0], "/created[gt]"
        )
        for path in ("/v1/invoices", "/v1/invoices/export"):
            answer = await api.call("GET", f"{path}?{query}", key)
            assert_problem(answer, 422, "invalid", odd)
    known = "limit=5&order_id=7&q=a&created%5Bgte%5D=2026-01-01T00:00:00Z&expand%5B%5D=deposits"
    assert (await api.call("GET", f"/v1/invoices?{known}", key)).status_code == 200
    assert (await api.call("GET", "/v1/invoices?orderId=7")).status_code == 401


async def test_what_is_not_a_route_is_not_found(api: TestApi) -> None:
    """Unknown paths are 404, unknown methods 405 with `Allow`, key or no key."""
    assert_problem(await api.call("GET", "/v1/nothing"), 404, "not_found")
    answer = await api.call("DELETE", "/v1/merchant")
    assert_problem(answer, 405, "method_not_allowed")
    assert {"GET", "PATCH"} <= set(answer.headers["allow"].split(", "))


async def test_a_body_must_be_announced_as_json(api: TestApi) -> None:
    """Without `application/json` it is 415; a parameter of the type does no harm."""
    _, key = await api.merchant_and_key("settings:write")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        answer = await api.call(
            "PATCH", "/v1/merchant", key, content=b"{}", headers={"Content-Type": kind}
        )
        assert_problem(answer, 415, "unsupported_media_type")
    kind = "application/json; charset=utf-8"
    answer = await api.call(
        "PATCH", "/v1/merchant", key, content=b"{}", headers={"Content-Type": kind}
    )
    assert answer.status_code == 200


async def test_a_body_is_at_most_64_kib(api: TestApi) -> None:
    """One byte more is 413, whether its length was announced or not."""
    _, key = await api.merchant_and_key("settings:write")
    full = b'{"name":"x"}'.ljust(65_536)
    answer = await api.call("PATCH", "/v1/merchant", key, content=full, headers=JSON)
    assert answer.status_code == 200

    async def pieces() -> Any:
        yield full
        yield b" "

    for body in (full + b" ", pieces()):
        answer = await api.call("PATCH", "/v1/merchant", key, content=body, headers=JSON)
        assert_problem(answer, 413, "body_too_large")


async def test_an_address_cannot_hold_what_text_cannot(api: TestApi) -> None:
    """U+0000 in path or query is 400, before anything is asked."""
    for path in ("/v1/merchants/a%00b", "/v1/api_keys?starting_after=%00"):
        assert_problem(await api.call("GET", path), 400, "malformed_request")


async def test_an_unforeseen_fault_tells_nothing(api: TestApi) -> None:
    """500 without detail outside; inside, the fault is logged under the request's id."""
    _, key = await api.merchant_and_key("settings:read")
    async with api.owner.unit_of_work(None) as session:
        await session.execute(text("ALTER TABLE merchant RENAME COLUMN name TO naam"))
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as logs:
        answer = await api.call("GET", "/v1/merchant", key)
    assert_problem(answer, 500, "internal")
    assert "merchant.name" not in answer.text
    (fault,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert "merchant.name" in str(fault["exc_info"])
    assert fault["request_id"] == answer.json()["request_id"]


async def test_a_client_that_leaves_is_not_a_fault(api: TestApi) -> None:
    """A body that ends in the middle leaves no error in the log and changes nothing."""
    operator = await api.key(None)
    arriving = iter(
        [
            {"type": "http.request", "body": b'{"name":', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    headers = {
        b"host": b"gateway",
        b"content-type": b"application/json",
        b"authorization": f"Bearer {operator}".encode(),
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/merchants",
        "raw_path": b"/v1/merchants",
        "query_string": b"",
        "headers": list(headers.items()),
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        sent.append(message)

    with structlog.testing.capture_logs() as logs:
        await api.api.asgi(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 400
    assert [entry["log_level"] for entry in logs] == ["info"]
    assert await api.rows("SELECT 1 FROM merchant") == []


async def test_without_the_database_the_caller_may_try_again(api: TestApi) -> None:
    """503 with `Retry-After`; liveness does not depend on it, readiness does."""
    nowhere = URL.create(
        "postgresql+psycopg", "gw_api", "x", host="127.0.0.1", port=1, database="x"
    )
    database = Database(nowhere, pool_size=1)
    made = create_api(api.settings, database, api.clock)
    key = await api.key(None)
    transport = httpx.ASGITransport(made.asgi)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        headers = {"Authorization": f"Bearer {key}"}
        with structlog.testing.capture_logs() as logs:
            answer = await client.get("/v1/networks", headers=headers)
            assert (await client.get("/v1/health/ready")).status_code == 503
        told = [each for each in logs if each["event"] == "database trouble"]
        assert [("exc_info" in each, "\n" in each["cause"]) for each in told] == [
            (False, False)
        ] * 2
        assert_problem(answer, 503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/v1/health")).json() == {"status": "ok"}
    await database.aclose()


async def test_a_database_that_only_reads_is_not_ready(api: TestApi) -> None:
    """After a failover it may be the standby now: a balancer sends nobody to who asks it."""
    options = {"options": "-c default_transaction_read_only=on"}
    standby = Database(api.database.engine.url.update_query_dict(options), pool_size=1)
    made = create_api(api.settings, standby, api.clock)
    transport = httpx.ASGITransport(made.asgi)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get("/v1/health/ready")
    assert_problem(answer, 503, "database_unavailable")
    assert "only reads" in answer.json()["detail"]
    await standby.aclose()


async def test_a_database_that_hangs_is_not_ready(
    api: TestApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is told so in time."""
    monkeypatch.setattr(health, "READY_SECONDS", 0.05)
    held = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = URL.create("postgresql+psycopg", "gw_api", "x", host="127.0.0.1", port=port)
    hung = Database(url, pool_size=1)
    made = create_api(api.settings, hung, api.clock)
    transport = httpx.ASGITransport(made.asgi)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get("/v1/health/ready")
    assert_problem(answer, 503, "database_unavailable")
    assert "does not answer" in answer.json()["detail"]
    await hung.aclose()
    held.set()
    server.close()


async def test_a_schema_that_is_not_at_head_is_not_ready(api: TestApi) -> None:
    """Readiness names the command that is missing."""
    assert (await api.call("GET", "/v1/health/ready")).status_code == 200
    async with api.owner.unit_of_work(None) as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = await api.call("GET", "/v1/health/ready")
    assert_problem(answer, 503, "schema_not_at_head")
    assert "gateway migrate" in answer.json()["detail"]
