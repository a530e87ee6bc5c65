"""What a watcher publishes every few seconds: how far it has come and what troubles it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from gateway.db import CROSS_TENANT, Database
from gateway.models import NetworkHealth
from watchers.clock import now
from watchers.network import Tip, printable
from watchers.store import Position, block_at_or_below, hold_lease

REASON_MAX = 300


SCAN = "scan"
"""The task whose trouble takes a network's payment methods away."""
SETTLE = "settle"
"""A payment of ours whose end is not borne out: it holds its own hold back and nothing else."""


class Trouble(NamedTuple):
    """Why a task waits, as one sentence, and since when."""

    reason: str
    since: datetime


@dataclass(slots=True)
class Health:
    """What troubles each task of one network; nothing where all goes well."""

    troubles: dict[str, Trouble] = field(default_factory=dict)

    @property
    def trouble(self) -> str | None:
        """Return the scan's trouble."""
        scan = self.troubles.get(SCAN)
        return None if scan is None else scan.reason

    def fail(self, task: str, reason: str) -> bool:
        """Note trouble; return whether it is news."""
        before = self.troubles.get(task)
        if before is not None and before.reason == reason:
            return False
        self.troubles[task] = Trouble(reason, now().at)
        return True

    def recover(self, task: str) -> bool:
        """Note that a task works; return whether that is news."""
        return self.troubles.pop(task, None) is not None

    def say(self, task: str, reason: str | None) -> None:
        """Note that a task waits for something, or for nothing any more; `since` it waits at all."""
        before = self.troubles.pop(task, None)
        if reason is not None:
            self.troubles[task] = Trouble(reason, now().at if before is None else before.since)

    def others(self) -> dict[str, dict[str, str]]:
        """Return what troubles the tasks beside the scan, as it is published."""
        return {
            task: {"reason": plain(each.reason) or "", "since": each.since.isoformat()}
            for task, each in sorted(self.troubles.items())
            if task != SCAN
        }


async def publish(
    database: Database,
    position: Position,
    tip: Tip,
    trouble: str | None,
    troubles: Mapping[str, Mapping[str, str]],
) -> None:
    """Write the network's health row; a network that stands still says so before all else.

    Raises `LeaseLost` where another watcher has it: who slept meanwhile must not speak for it.
    """
    async with database.unit_of_work(CROSS_TENANT) as session:
        await hold_lease(session, position)
        block = await block_at_or_below(session, position.network, position.height)
        values = {
            "head_height": tip.head or position.height,  # none was asked yet
            "scanned_height": position.height,
            "final_height": position.final_height,
            "head_time": None if block is None else block.block_time,
            "trouble": plain(position.halted or trouble),
            "troubles": dict(troubles),
            "updated_at": now().at,
        }
        await session.execute(
            insert(NetworkHealth)
            .values(network_id=position.network, **values)
            .on_conflict_do_update(index_elements=["network_id"], set_=values)
        )


def plain(reason: str | None) -> str | None:
    """Return one line without what a node may have put into it and a column cannot hold."""
    if reason is None:
        return None
    return printable(reason)[:REASON_MAX]


async def all_networks(database: Database) -> list[NetworkHealth]:
    """Return the published health of every network, by name."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        query = select(NetworkHealth).order_by(NetworkHealth.network_id)
        return list(await session.scalars(query))
