"""What a watcher publishes every few seconds: how far it has come and what troubles it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from gateway.db import CROSS_TENANT, Database
from gateway.models import NetworkHealth
from watchers.clock import now
from watchers.network import Tip
from watchers.store import Position, block_at_or_below

REASON_MAX = 300


@dataclass(slots=True)
class Health:
    """Trouble as one sentence, or None; the newest of several loops wins."""

    trouble: str | None = None
    since: datetime | None = None

    def fail(self, reason: str) -> bool:
        """Note trouble; return whether it is news."""
        news = reason != self.trouble
        if news:
            self.trouble, self.since = reason, now().at
        return news

    def recover(self) -> bool:
        """Note that things work; return whether that is news."""
        news = self.trouble is not None
        self.trouble, self.since = None, None
        return news


async def publish(
    database: Database, position: Position, tip: Tip, trouble: str | None
) -> None:
    """Write the network's health row; a network that stands still says so before all else."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        block = await block_at_or_below(session, position.network, position.height)
        values = {
            "head_height": max(tip.head, position.height),
            "scanned_height": position.height,
            "final_height": position.final_height,
            "head_time": None if block is None else block.block_time,
            "trouble": plain(position.halted or trouble),
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
    return "".join(letter if letter.isprintable() else " " for letter in reason)[:REASON_MAX]


async def all_networks(database: Database) -> list[NetworkHealth]:
    """Return the published health of every network, by name."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        query = select(NetworkHealth).order_by(NetworkHealth.network_id)
        return list(await session.scalars(query))
