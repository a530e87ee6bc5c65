"""Slots: a bounded number of requests at once, in order, and none of them may keep its slot."""

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.webhooks import slots
from gateway.webhooks.delivery import Delivery
from gateway.webhooks.slots import Slots
from tests.gateway.worker.world import eventually

pytestmark = pytest.mark.anyio


class Sky:
    """What is under way; everybody lands when told to."""

    def __init__(self) -> None:
        self.flying: dict[str, asyncio.Event] = {}
        self.seen: list[str] = []
        self.peak = 0

    async def fly(self, delivery: Delivery) -> None:
        """Stay until `land`."""
        self.seen.append(delivery.id)
        landed = self.flying[delivery.id] = asyncio.Event()
        self.peak = max(self.peak, len(self.flying))
        await landed.wait()
        self.flying.pop(delivery.id, None)

    def land(self, *names: str) -> None:
        """Let these end."""
        for name in names:
            self.flying[name].set()


def deliveries(*names: str, merchant: str = "mer_1") -> list[Delivery]:
    """Return deliveries that are told apart by their ids."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return [
        Delivery(
            id=name, endpoint_id="whe_1", merchant_id=merchant, url="", secret_version=1,
            previous_signs=False, ed25519=False, event_id=name, type="", subject=name, sequence=1,
            livemode=False, attempts=0, leased_until=at, passed=False, body=b"",
        )
        for name in names
    ]  # fmt: skip


async def test_so_many_at_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one starts when one has landed, and a slot that was free is taken again."""
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 60.0)
    sky = Sky()
    async with asyncio.TaskGroup() as tasks:
        line = Slots(2, sky.fly, tasks, per_merchant=9)
        line.add(deliveries("a", "b", "c"))
        await eventually(lambda: sky.seen == ["a", "b"])
        assert line.ready == 1
        sky.land("b")
        await eventually(lambda: sky.seen == ["a", "b", "c"])
        sky.land("a", "c")
        await eventually(lambda: not sky.flying)
        line.add(deliveries("d", "e"))
        line.add(deliveries("f", "g"))
        await eventually(lambda: list(sky.flying) == ["d", "e"])
        sky.land("d", "e")
        await eventually(lambda: list(sky.flying) == ["f", "g"])
        sky.land("f", "g")
    assert (sky.seen, sky.peak, line.ready) == (list("abcdefg"), 2, 0)


async def test_a_slow_one_goes_on_without_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one flies beside it, and when it lands no second slot comes of it."""
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 0.01)
    sky = Sky()
    async with asyncio.TaskGroup() as tasks:
        line = Slots(1, sky.fly, tasks, per_merchant=9)
        line.add(deliveries("slow", "slower", "next"))
        await eventually(lambda: sky.seen == ["slow", "slower", "next"])
        monkeypatch.setattr(slots, "PATIENCE_SECONDS", 60.0)
        await eventually(lambda: line._free == 1)
        sky.land("slow", "slower", "next")
        await eventually(lambda: not sky.flying)
        sky.peak = 0
        line.add(deliveries("x", "y"))
        await eventually(lambda: list(sky.flying) == ["x"])
        sky.land("x")
        await eventually(lambda: list(sky.flying) == ["y"])
        sky.land("y")
    assert sky.peak == 1


async def test_each_request_has_the_whole_patience_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One watch serves a slot: what came before the present request does not count."""
    now, gave_up = 100.0, list[float]()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(loop, "time", lambda: now)
    watch = slots._Watch(lambda: gave_up.append(now))
    watch.begin()
    now = 100.009
    watch.begin()
    now = 100.018
    watch._look()
    assert not gave_up
    now = 100.019
    watch._look()
    assert (gave_up, watch.gave_up) == ([100.019], True)
    watch.end()


async def test_merchants_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes behind somebody's many does not wait for all of them."""
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 60.0)
    sky = Sky()
    async with asyncio.TaskGroup() as tasks:
        line = Slots(1, sky.fly, tasks, per_merchant=9)
        line.add(deliveries("a", "b", "c"))
        line.add(deliveries("x", "y", merchant="mer_2"))
        for name in "axbyc":
            await eventually(lambda: sky.flying)
            assert list(sky.flying) == [name]
            sky.flying.pop(name).set()
    assert sky.seen == list("axbyc")


async def test_a_merchant_at_its_bound_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow ones count though they hold no slot; the next goes when one of them has landed."""
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 0.01)
    sky = Sky()
    async with asyncio.TaskGroup() as tasks:
        line = Slots(1, sky.fly, tasks, per_merchant=2)
        line.add(deliveries("a", "b", "c"))
        assert line.ready == 2
        await eventually(lambda: sky.seen == ["a", "b"] and line._free == 1)
        line.add(deliveries("x", merchant="mer_2"))
        await eventually(lambda: sky.seen == ["a", "b", "x"] and line._free == 1)
        assert line.ready == 0
        sky.land("b")
        await eventually(lambda: sky.seen == ["a", "b", "x", "c"])
        sky.land("a", "x", "c")
    assert (sky.peak, line.ready, line._under_way) == (3, 0, {})
