"""Who asked how often, how it went and how long it took: counted on the way, shown by the hour."""

from datetime import timedelta

import httpx
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.app import create_api
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.postgres.url import role_url
from gateway.usage.counting import HISTOGRAM, Usage
from gateway.usage.documents import percentile_micros
from gateway.usage.flushing import flush
from gateway.usage.rolling import roll_up
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio


async def _flushed(api: TestApi) -> None:
    assert await flush(api.database, api.api.usage)


async def test_usage_shows_requests_errors_and_latency_by_endpoint(api: TestApi) -> None:
    """The route's template is counted, never the address that was asked for."""
    merchant_id, key = await api.merchant_and_key()
    for name in ("a", "b"):
        await api.call("GET", f"/v1/invoices/inv_{name}", key)
    await api.call("GET", "/v1/merchant", key)
    await _flushed(api)
    document = (await api.call("GET", "/v1/usage?group=endpoint", key)).json()
    rows = {(row["method"], row["endpoint"]): row for row in document["data"]}
    assert set(rows) == {("GET", "/v1/invoices/{invoice_id}"), ("GET", "/v1/merchant")}
    invoices = rows["GET", "/v1/invoices/{invoice_id}"]
    assert (invoices["requests"], invoices["errors_4xx"], invoices["errors_5xx"]) == (2, 2, 0)
    assert 0 < invoices["mean_ms"] <= invoices["max_ms"]
    assert invoices["p95_ms"] <= invoices["max_ms"]
    operator = await api.key(None)
    theirs = await api.call("GET", f"/v1/merchants/{merchant_id}/usage", operator)
    assert sum(row["requests"] for row in theirs.json()["data"]) == 3


async def test_another_merchants_usage_is_not_there(api: TestApi) -> None:
    """Neither through the API nor through plain SQL; a merchant nobody has is 404."""
    _, mine = await api.merchant_and_key()
    theirs, key = await api.merchant_and_key()
    await api.call("GET", "/v1/merchant", key)
    await _flushed(api)
    assert (await api.call("GET", "/v1/usage", mine)).json()["data"] == []
    assert (await api.call("GET", f"/v1/merchants/{theirs}/usage", mine)).status_code == 403
    operator = await api.key(None)
    nobody = await api.call("GET", "/v1/merchants/mer_nobody/usage", operator)
    assert nobody.status_code == 404
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with api.database.unit_of_work(theirs) as session:
            await session.execute(text("DELETE FROM usage_hour"))


async def test_a_refused_request_is_counted_as_limited(api: TestApi) -> None:
    """Nobody who is unknown is counted; who is known and refused is."""
    usage, actor = Usage(), Actor("key_1", "mer_1", frozenset(), livemode=False)
    at = api.clock().at
    usage.count(actor, ("GET", "/x"), 429, 0.001, at)
    usage.count(actor, ("GET", "/x"), 500, 7.0, at)
    usage.count(None, ("GET", "/x"), 401, 0.001, at)
    [(_, counts)] = usage.taken().items()
    assert (counts.requests, counts.limited, counts.errors_4xx, counts.errors_5xx) == (
        2,
        1,
        1,
        1,
    )
    assert (counts.histogram[0], counts.histogram[-1]) == (1, 1)


async def test_one_request_too_many_is_counted_for_its_key(api: TestApi) -> None:
    """The refusal comes before anything else is known but whose key it is."""
    _, key = await api.merchant_and_key()
    section = msgspec.structs.replace(api.settings.api, requests_per_minute=2)
    settings = msgspec.structs.replace(api.settings, api=section)
    made = create_api(settings, api.database, api.clock)
    transport = httpx.ASGITransport(made.asgi)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        bearer = {"Authorization": f"Bearer {key}"}
        statuses = [
            (await client.get("/v1/merchant", headers=bearer)).status_code for _ in "abc"
        ]
    assert statuses == [200, 200, 429]
    [(entry, counts)] = made.usage.taken().items()
    assert (entry.route, counts.requests, counts.limited) == ("/v1/merchant", 3, 1)


async def test_every_process_adds_and_a_failed_flush_is_kept(api: TestApi) -> None:
    """Two flushes of one hour are one row; while the database is away nothing is lost."""
    merchant_id = await api.merchant()
    actor, at = Actor("key_1", merchant_id, frozenset(), livemode=False), api.clock().at
    gone = Database(api.database.engine.url.set(database="nowhere"), pool_size=1)
    usage = Usage(entries_max=2)
    for seconds in (0.003, 0.040):
        usage.count(actor, ("GET", "/x"), 200, seconds, at)
        assert not await flush(gone, usage)
        assert await flush(api.database, usage)
    await gone.aclose()
    rows = await api.rows(
        "SELECT requests, micros_sum, micros_max, le_5, le_50 FROM usage_hour"
        " WHERE merchant_id = :id",
        id=merchant_id,
    )
    assert [tuple(row) for row in rows] == [(2, 43_000, 40_000, 1, 1)]
    for route in ("/a", "/b", "/c"):
        usage.count(actor, ("GET", route), 200, 0.001, at)
    assert usage.dropped == 1


async def test_hours_become_days_and_go(api: TestApi) -> None:
    """A day is the sum of its hours, however often it is rolled up; old hours are forgotten."""
    merchant_id, key = await api.merchant_and_key()
    actor, usage = Actor("key_1", merchant_id, frozenset(), livemode=False), Usage()
    now = api.clock().at
    for at in (now, now - timedelta(hours=2), now - timedelta(days=89, hours=20)):
        usage.count(actor, ("GET", "/x"), 200, 0.003, at)
    await flush(api.database, usage)
    worker = Database(role_url(api.settings, "worker"), pool_size=1)
    await roll_up(worker, api.clock())
    usage.count(actor, ("GET", "/x"), 500, 0.003, now)
    await flush(api.database, usage)
    for _ in range(2):
        await roll_up(worker, api.clock())
    days = (await api.call("GET", "/v1/usage?bucket=day", key)).json()["data"]
    assert [(day["requests"], day["errors_5xx"], day["error_rate"]) for day in days] == [
        (3, 1, 0.3333)
    ]
    api.clock.at += timedelta(hours=8)
    await roll_up(worker, api.clock())
    await worker.aclose()
    [row] = await api.rows(
        "SELECT (SELECT count(*) FROM usage_hour WHERE merchant_id = :id) AS hours,"
        " (SELECT count(*) FROM usage_day WHERE merchant_id = :id) AS days",
        id=merchant_id,
    )
    assert tuple(row) == (2, 2)


async def test_an_impossible_span_is_refused_by_name(api: TestApi) -> None:
    """Backwards, too wide, too early: a problem that names the field."""
    _, key = await api.merchant_and_key()
    for query in (
        "from=2026-11-20T00:00:00Z&to=2026-11-19T00:00:00Z",
        "from=2026-01-01T00:00:00Z",
        "from=2020-01-01T00:00:00Z&bucket=day",
        "to=0001-01-01T00:00:00Z",
    ):
        answer = await api.call("GET", f"/v1/usage?{query}", key)
        assert answer.status_code == 422, query
        assert answer.json()["errors"][0]["pointer"] == "/from"


def test_a_percentile_is_the_bound_of_its_step() -> None:
    """95 of 100 within 5 ms: that is the 95th; one more slow one and it is not."""
    histogram = [0] * len(HISTOGRAM)
    histogram[0], histogram[3] = 95, 5
    assert percentile_micros(histogram, 44_000, 95) == 5_000
    histogram[3] = 6
    assert percentile_micros(histogram, 44_000, 95) == 44_000


async def test_nobody_adds_usage_but_by_adding(api: TestApi) -> None:
    """The API's role has the function and no table."""
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with api.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("UPDATE usage_hour SET requests = 0"))


async def test_seconds_of_a_year_that_does_not_exist_are_refused(api: TestApi) -> None:
    """In any query with a time: the year 10000 is no fault of the house."""
    _, key = await api.merchant_and_key()
    for path in (
        "/v1/usage?from=",
        "/v1/usage?bucket=day&to=",
        "/v1/invoices?created%5Bgte%5D=",
    ):
        answer = await api.call("GET", f"{path}253402300800", key)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), path
