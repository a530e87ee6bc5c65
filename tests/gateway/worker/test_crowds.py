"""Crowds: what may not be sent yet is in nobody's way, however much of it there is."""

from datetime import timedelta

import pytest

from gateway.db import CROSS_TENANT, Database
from gateway.webhooks import crowds, leases
from gateway.webhooks.delivery import Delivery
from gateway.webhooks.leases import Shares
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import World, all_are, eventually, receiving, world

pytestmark = pytest.mark.anyio

# Heads that failed for most of an hour, each with a follower.
_HELD_UP = """
WITH e AS (
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    SELECT 'evt_' || n || '_' || q, 'mer_1', 'invoice.settled', 'inv_' || n, q, false, '1', '{}', now()
    FROM generate_series(1, 200) n, generate_series(1, 2) q RETURNING id, subject, sequence)
INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence, status, attempts,
                              next_attempt_at, created_at)
SELECT 'whd_' || id, 'mer_1', 'whe_1', id, subject, sequence,
    CASE sequence WHEN 1 THEN 'retrying' ELSE 'scheduled' END, 2 - sequence,
    :at + CASE sequence WHEN 1 THEN interval '5 h' ELSE interval '0' END, :at - interval '50 min'
FROM e
"""


async def test_what_waits_for_another_makes_room(database: FreshDatabase) -> None:
    """A lease looks at a window; who cannot go yet is due when the turn may come, and no later."""
    worker = Database(database.url("worker"), pool_size=1)
    async with world(database) as w:
        await w.endpoint("http://127.0.0.1:1/")
        at = w.clock().at
        await w.execute(_HELD_UP, at=at)
        await w.emit("inv_free")
        assert await _leased(worker, w) == []
        assert [await _put_off(worker, w) for _ in range(2)] == [200, 0]
        assert [each.subject for each in await _leased(worker, w)] == ["inv_free"]
        followers = [row for row in await w.deliveries() if row.sequence == 2]
        passing = at + timedelta(minutes=10, microseconds=1)
        assert {row.next_attempt_at for row in followers} == {passing}
        w.clock.put_forward(minutes=10, seconds=1)
        assert len(await _leased(worker, w)) == 16
    await worker.aclose()


async def _put_off(worker: Database, w: World) -> int:
    async with worker.unit_of_work(CROSS_TENANT) as session:
        return await crowds.put_off(session, w.clock())


async def _leased(worker: Database, w: World) -> list[Delivery]:
    moment = w.clock()
    shares = Shares(each=16, rooms={}, per_merchant=128, merchant_rooms={})
    until = moment.at + timedelta(seconds=25)
    return await leases.lease(worker, moment, until=until, wanted=64, shares=shares)


async def test_a_long_line_of_one_subject_lets_others_through(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it arrives in order, and another subject's event, made last, long before its end."""
    monkeypatch.setattr(leases, "WINDOW", 8)
    monkeypatch.setattr(crowds, "LINE_MAX", 4)
    monkeypatch.setattr("gateway.worker.CROWD_SECONDS", 0.01)
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        line = await w.emit(*["inv_long"] * 40)
        [other] = await w.emit("inv_other")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        assert [each for each in shop.ids() if each != other] == line
        assert shop.ids().index(other) < 30


# So many lines of so many, all retried hours ago; of each the youngest became due first.
_OLD = """
WITH e AS (
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    SELECT 'evt_' || n || '_' || q, 'mer_1', 'invoice.settled', 'inv_' || n, q, false, '1', '{}', now()
    FROM generate_series(1, :lines) n, generate_series(1, :length) q RETURNING id, subject, sequence)
INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence, status, attempts,
                              next_attempt_at, created_at)
SELECT 'whd_' || id, 'mer_1', 'whe_1', id, subject, sequence, 'retrying', 3,
    :at - interval '1 h' - sequence * :older * interval '1 s', :at - interval '3 h'
FROM e
"""


async def test_old_heads_that_are_due_come_before_their_followers(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose followers became due first: no head stays outside the window, nor anything made later."""
    monkeypatch.setattr(leases, "WINDOW", 8)
    monkeypatch.setattr("gateway.worker.CROWD_SECONDS", 0.01)
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        await w.execute(_OLD, at=w.clock().at, lines=20, length=2, older=60)
        await w.emit("inv_new")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        heads = [shop.ids().index(f"evt_{n}_1") for n in range(1, 21)]
        assert heads == [
            min(shop.ids().index(f"evt_{n}_{q}") for q in (1, 2)) for n in range(1, 21)
        ]


async def test_an_old_line_that_is_put_off_loses_nothing(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only makes room does not sleep until a retry: the younger ones may not pass it."""
    monkeypatch.setattr(leases, "WINDOW", 8)
    monkeypatch.setattr(crowds, "LINE_MAX", 4)
    monkeypatch.setattr(crowds, "BATCH", 16)
    monkeypatch.setattr("gateway.worker.CROWD_SECONDS", 0.01)
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        await w.execute(_OLD, at=w.clock().at, lines=1, length=60, older=-1)
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        assert shop.ids() == [f"evt_1_{q}" for q in range(1, 61)]


def test_a_crowd_puts_off_by_less_than_what_counts_as_a_retry() -> None:
    """The last of a batch, at its line's end."""
    assert crowds.BATCH * crowds.TURN < leases.SOON
