"""The queue's statements: what they read, and what a batch of results leaves behind."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from gateway.db import CROSS_TENANT, Database, send
from gateway.webhooks import leases, results, slots
from gateway.webhooks.leases import Shares
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import Received, all_are, ended, eventually, receiving, world

pytestmark = pytest.mark.anyio

_BACKLOG = """
WITH e AS (
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    SELECT 'evt_' || n, 'mer_1', 'invoice.settled', 'inv_' || n, 1, false, '1', '{}', now()
    FROM generate_series(1, 2000) n RETURNING id, subject)
INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence,
                              next_attempt_at, created_at)
SELECT 'whd_' || id, 'mer_1', 'whe_1', id, subject, 1, now(), now() FROM e
"""
_ASLEEP = """
WITH e AS (
    INSERT INTO webhook_endpoint (id, merchant_id, url, api_version, livemode, created_at)
    SELECT 'whe_asleep_' || n, 'mer_1', 'http://127.0.0.1:1/', '1', false, now()
    FROM generate_series(1, 60) n RETURNING id)
INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence, status,
                              attempts, next_attempt_at, created_at)
SELECT 'whd_' || id, 'mer_1', id, 'evt_1', 'inv_1', 1, 'retrying', 1, now() + interval '1 hour', now()
FROM e
"""


async def test_a_backlog_costs_a_lease_nothing(database: FreshDatabase) -> None:
    """The order of a subject is looked up by its own index, what was chosen by its ids.

    Whatever is known of the table: a queue may grow before anybody has counted it.
    """
    worker = Database(database.url("worker"), pool_size=1)
    async with world(database) as w:
        await w.endpoint("http://127.0.0.1:1/")
        await w.execute(_BACKLOG)
        uncounted = await _plan_of_a_lease(worker, w.clock().at)
        await w.execute("ANALYZE webhook_delivery")
        counted = await _plan_of_a_lease(worker, w.clock().at)
    await worker.aclose()
    for plan in (uncounted, counted):
        looks = [node for node in nodes(plan) if node.get("Parent Relationship") == "SubPlan"]
        assert len(looks) == 2
        for look in looks:
            indexes = {node["Index Name"] for node in nodes(look) if "Index Name" in node}
            assert indexes == {"webhook_delivery_order"}, json.dumps(look)
        for node in nodes(plan):
            whole = node["Node Type"] == "Seq Scan" and node["Relation Name"]
            assert whole != "webhook_delivery", json.dumps(plan)
            if node.get("Index Name") == "webhook_delivery_due":
                assert "endpoint_id" in node.get("Index Cond", ""), json.dumps(node)


async def _plan_of_a_lease(worker: Database, at: datetime) -> dict[str, Any]:
    values = {
        "at": at, "until": at + timedelta(seconds=25), "passable": at, "soon": at, "rooms": '{"whe_1": 4}',
        "each": 2, "merchant_rooms": "{}", "per_merchant": 128, "wanted": 64,
        "window": leases.WINDOW,
    }  # fmt: skip
    async with worker.unit_of_work(CROSS_TENANT) as session:
        [[plan]] = await send(session, "EXPLAIN (FORMAT JSON) " + leases._LEASE, values)
    chosen: dict[str, Any] = plan[0]["Plan"]
    return chosen


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk through a plan."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def test_a_lease_leaves_room_for_other_merchants(database: FreshDatabase) -> None:
    """However much waits: so many of one merchant, less what it has already."""
    worker = Database(database.url("worker"), pool_size=1)
    async with world(database) as w:
        await w.endpoint("http://127.0.0.1:1/")
        await w.execute(_BACKLOG)
        for taken in (0, 3):
            moment = w.clock()
            shares = Shares(
                each=16, rooms={}, per_merchant=5, merchant_rooms={"mer_1": 5 - taken}
            )
            leased = await leases.lease(
                worker, moment, until=moment.at + timedelta(seconds=9), wanted=64, shares=shares
            )
            assert len(leased) == 5 - taken
            assert [each.id for each in leased] == sorted(each.id for each in leased)
    await worker.aclose()


async def test_those_whose_retries_are_far_take_no_part(database: FreshDatabase) -> None:
    """What is wanted is shared by endpoints where something is due: one alone fills its room."""
    worker = Database(database.url("worker"), pool_size=1)
    async with world(database) as w:
        await w.endpoint("http://127.0.0.1:1/")
        await w.execute(_BACKLOG)
        await w.execute(_ASLEEP)
        moment = w.clock()
        shares = Shares(each=2, rooms={"whe_1": 16}, per_merchant=99, merchant_rooms={})
        leased = await leases.lease(
            worker, moment, until=moment.at + timedelta(seconds=9), wanted=64, shares=shares
        )
        assert [each.endpoint_id for each in leased] == ["whe_1"] * 16
    await worker.aclose()


async def test_a_backlog_costs_a_result_nothing(database: FreshDatabase) -> None:
    """What was sent is found by its id, not among all that waits."""
    worker = Database(database.url("worker"), pool_size=1)
    async with world(database) as w:
        await w.endpoint("http://127.0.0.1:1/")
        await w.execute(_BACKLOG)
        at = w.clock().at
        values = {"at": at, "oldest": at, "results": '[{"id": "whd_evt_7"}]'}
        async with worker.unit_of_work(CROSS_TENANT) as session:
            [[plan]] = await send(session, "EXPLAIN (FORMAT JSON) " + results._RECORD, values)
    await worker.aclose()
    scans = [node for node in nodes(plan[0]["Plan"]) if "Scan" in node["Node Type"]]
    assert {node["Relation Name"] for node in scans if node["Node Type"] == "Seq Scan"} == set()
    indexes = {node["Index Name"] for node in scans if "Index Name" in node}
    assert indexes == {"webhook_delivery_pkey", "webhook_endpoint_pkey"}


async def test_an_event_for_several_endpoints_is_the_same_to_each(
    database: FreshDatabase,
) -> None:
    """One body, byte for byte, signed by each endpoint's own secret; digits stay as they were."""
    data = {"object": {"id": "inv_1", "units": 2**70, "share": 0.1, "note": '\u2028 é \\ " 支'}}
    async with world(database) as w, receiving() as shop, receiving() as other:
        await w.endpoint(shop.url, id_="whe_1")
        await w.endpoint(other.url, id_="whe_2")
        async with w.working():
            await w.emit("inv_1", data=data)
            await eventually(all_are(w, "succeeded"))
        [first], [second] = shop.requests, other.requests
        assert first.body == second.body
        assert first.document["data"] == data
        first.verify(w.secret("whe_1"))
        second.verify(w.secret("whe_2"))


async def test_a_batch_keeps_every_result_apart(database: FreshDatabase) -> None:
    """Success, failure with a body, silence: each row has its own, whatever came with it."""
    said = "no \"\\ \x07 \u2028 <支> '); --"
    async with world(database, timeout_seconds=1) as w, receiving() as shop:

        async def answer(received: Received) -> web.StreamResponse:
            match received.document["subject"]:
                case "inv_bad":
                    return web.Response(status=500, text=said)
                case "inv_gone":
                    return web.Response(status=302, headers={"location": "/"})
            return web.Response(status=204)

        shop.answer = answer
        await w.endpoint(shop.url)
        await w.endpoint("http://127.0.0.1:1/", id_="whe_2")
        await w.execute("UPDATE webhook_endpoint SET exhausted_in_a_row = 3")
        await w.emit("inv_good", "inv_bad", "inv_gone")
        await w.execute("UPDATE webhook_delivery SET attempts = 9 WHERE subject = 'inv_gone'")
        async with w.working():
            await eventually(lambda: _attempted(w))
        rows = {(row.endpoint_id, row.subject): row for row in await w.deliveries()}
        good, bad, gone = (rows["whe_1", f"inv_{each}"] for each in ("good", "bad", "gone"))
        assert (good.status, good.response_status, good.response_body) == (
            "succeeded",
            204,
            None,
        )
        assert (bad.status, bad.response_status, bad.response_body) == ("retrying", 500, said)
        assert (gone.status, gone.response_status, gone.attempts) == ("exhausted", 302, 10)
        assert bad.ended_at is None
        assert good.ended_at is not None
        for subject in ("inv_good", "inv_bad"):
            refused = rows["whe_2", subject]
            assert (refused.error, refused.response_status, refused.response_body) == (
                "the connection was refused", None, None,
            )  # fmt: skip
            assert (refused.status, refused.attempts) == ("retrying", 1)
        assert (await w.endpoint_row("whe_2")).exhausted_in_a_row == 4


async def _attempted(w: Any) -> bool:
    return all(row.status != "scheduled" for row in await w.deliveries())


async def test_a_success_forgives_what_was_used_up_before(database: FreshDatabase) -> None:
    """Ten in a row disable an endpoint: not nine, a success, and one."""
    async with world(database) as w, receiving() as shop:
        shop.answers(200, 500)
        await w.endpoint(shop.url)
        await w.execute("UPDATE webhook_endpoint SET exhausted_in_a_row = 9")
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        assert (await w.endpoint_row()).exhausted_in_a_row == 0
        await w.emit("inv_2")
        await w.execute("UPDATE webhook_delivery SET attempts = 9 WHERE subject = 'inv_2'")
        async with w.working():
            await eventually(lambda: ended(w))
        row = await w.endpoint_row()
        assert (row.status, row.exhausted_in_a_row) == ("enabled", 1)


async def test_a_result_of_a_lease_that_ran_out_is_dropped(database: FreshDatabase) -> None:
    """Another worker holds the delivery by then: only its own result is written."""
    async with world(database) as w, receiving() as shop:
        gate = asyncio.Event()

        async def late(_received: Received) -> web.StreamResponse:
            await gate.wait()
            return web.Response(status=500)

        shop.answer = late
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: shop.requests)
            await w.execute("UPDATE webhook_delivery SET leased_until = now() + interval '1 h'")
            gate.set()
        [row] = await w.deliveries()
        assert (row.status, row.attempts, row.response_status) == ("scheduled", 0, None)
        assert row.leased_until is not None


_LOCK_LEASED = "SELECT id FROM webhook_delivery WHERE leased_until IS NOT NULL FOR UPDATE"


_OTHERS = """
WITH m AS (
    INSERT INTO merchant (id, name, status, invoice_expiry_minutes, monitoring_days,
                          tolerance_basis_points, created_at)
    SELECT 'mer_slow' || n, 'Slow', 'active', 60, 7, 50, now()
    FROM generate_series(1, CAST(:merchants AS integer)) n RETURNING id
), e AS (
    INSERT INTO webhook_endpoint (id, merchant_id, url, events, livemode, secret_version, ed25519,
                                  api_version, status, exhausted_in_a_row, created_at)
    SELECT 'whe_' || m.id || n, m.id, :url, '{*}', false, 1, false, '2026-11-20', 'enabled', 0,
           now()
    FROM m CROSS JOIN generate_series(1, 14) n RETURNING id, merchant_id
), v AS (
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    SELECT 'evt_' || m.id || n, m.id, 'invoice.settled', 'inv_' || m.id || n, 1, false, '2026-11-20', '{}',
           now()
    FROM m CROSS JOIN generate_series(1, 5) n RETURNING id, merchant_id, subject
)
INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence,
                              next_attempt_at, created_at)
SELECT 'whd_' || e.id || v.subject, e.merchant_id, e.id, v.id, v.subject, 1, now(), now()
FROM e JOIN v USING (merchant_id)
"""


@pytest.mark.parametrize("merchants", [1, 4])
async def test_slow_merchants_with_a_backlog_do_not_hold_up_another(
    database: FreshDatabase, merchants: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for them at their bound keeps nobody from a lease, and some room is always left."""
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 0.01)
    bounds = {
        "concurrency": 2,
        "per_merchant": 8,
        "timeout_seconds": 60,
        "poll_milliseconds": 5,
    }
    async with world(database, **bounds) as w, receiving() as slow, receiving() as shop:
        gate = asyncio.Event()

        async def hang(_received: Received) -> web.StreamResponse:
            await gate.wait()
            return web.Response()

        slow.answer = hang
        await w.execute(_OTHERS, merchants=merchants, url=slow.url)
        await w.endpoint(shop.url)
        async with w.working():
            try:
                await eventually(lambda: len(slow.requests) >= min(16, 8 * merchants))
                for number in range(5):
                    await w.emit(f"inv_{number}")
                    await eventually(lambda: len(shop.requests) > number)  # noqa: B023  # awaited here
                assert len(slow.requests) <= 8 * merchants
            finally:
                gate.set()


async def test_nothing_more_is_sent_while_results_cannot_be_written(
    database: FreshDatabase,
) -> None:
    """A result that waits for a lock holds the others back; it would all be sent again."""
    async with world(database, concurrency=1, poll_milliseconds=5) as w, receiving() as shop:
        gate = asyncio.Event()

        async def answer(_received: Received) -> web.StreamResponse:
            await gate.wait()
            return web.Response()

        shop.answer = answer
        for number in range(30):
            await w.endpoint(shop.url, id_=f"whe_{number:02}")
        await w.emit("inv_1")
        async with w.working():
            await eventually(lambda: shop.requests)
            async with w.owner.unit_of_work(CROSS_TENANT) as session:
                await session.execute(text(_LOCK_LEASED))
                gate.set()
                first = len(shop.requests)
                await eventually(lambda: len(shop.requests) > first)
                await asyncio.sleep(0.5)
                assert len(shop.requests) < 20
            await eventually(all_are(w, "succeeded"))
        assert len(shop.requests) == 30
