"""Rounds of the worker: trouble is said once and seen in the metrics, and an end comes in time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.rounds import Loop, Waiting, ended_within

pytestmark = pytest.mark.anyio

SERIES = "gateway_worker_waiting"


@dataclass(slots=True)
class Task:
    """Work whose rounds end as they are told, one after the other; then it is told to stop."""

    rounds: list[OSError | None]
    between: Callable[[], object] = lambda: None
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> bool:
        """Do one round."""
        self.between()
        if not self.rounds:
            self.stop.set()
            return True
        fault = self.rounds.pop(0)
        if fault is not None:
            raise fault
        return True


async def test_trouble_is_said_once_and_its_end_too() -> None:
    """An outage of an hour is two lines of each task, whatever often it was tried."""
    away, full = OSError("no such file"), OSError("too many clients")
    task = Task([None, away, away, away, full, full, None, None, away])
    with capture_logs() as logs:
        await Loop("feed", task.work, 1.0, pause_seconds=0).run(task.stop)
    assert [(line["event"], line["task"], line.get("reason")) for line in logs] == [
        ("waiting", "feed", "no such file"),
        ("waiting", "feed", "too many clients"),
        ("recovered", "feed", None),
        ("waiting", "feed", "no such file"),
        ("recovered", "feed", None),
    ]


async def test_a_task_that_waits_is_in_the_metrics_for_as_long_as_it_does() -> None:
    """One series for each; none where all goes well."""
    registry, seen = CollectorRegistry(), list[float | None]()
    task = Task(
        [None, OSError("away"), OSError("away"), None],
        lambda: seen.append(registry.get_sample_value(SERIES, {"task": "feed"})),
    )
    loop = Loop("feed", task.work, 1.0, pause_seconds=0)
    registry.register(Waiting([loop, Loop("rests", task.work, 1.0)]))
    await loop.run(task.stop)
    assert seen == [None, None, 1.0, 1.0, None]
    assert registry.get_sample_value(SERIES, {"task": "rests"}) is None


async def test_a_round_that_never_ends_is_ended() -> None:
    """A database that hangs keeps no process: what it had begun is undone by its end."""
    stop, begun = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    with capture_logs() as logs:
        async with asyncio.timeout(10), ended_within(0.01, stop), asyncio.TaskGroup() as tasks:
            hanging = tasks.create_task(Loop("feed", hang, 1.0).run(stop))
            await begun.wait()
            stop.set()
    assert hanging.cancelled()
    assert [line["event"] for line in logs] == ["ended within a round: what it began is undone"]


async def test_nothing_is_ended_before_it_is_told_to_stop() -> None:
    """The time runs from then on; what ends by itself ends as it would."""
    stop = asyncio.Event()
    with capture_logs() as logs:
        async with ended_within(0.0, stop):
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError, match="its own"):
            async with ended_within(0.0, stop):
                raise TimeoutError("its own")
    assert logs == []
