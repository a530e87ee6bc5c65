"""The demo's last act: sweeps are switched on, every pool address is emptied, the cost is shown.

The demo runs with `sweep = false`, so that its scenario can count on balances. After it, stop the
watchers, call `switch_on(place.config)`, start them again, await `emptied`, and print
`watchers sweeps NETWORK` for each network.
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import func, select

from devnet.chain import LocalChain
from devnet.system.waiting import until
from gateway.db import CROSS_TENANT, Database
from gateway.models import Sweep, Unswept
from watchers.sweep.rows import LIVE, Cost, costs

OFF, ON = "sweep = false\n", "sweep = true\n"


def switch_on(config: Path) -> None:
    """Let the watchers that read this file next sweep."""
    config.write_text(config.read_text().replace(OFF, ON))


async def emptied(
    database: Database, chains: Mapping[str, LocalChain], *, seconds_max: float = 180.0
) -> dict[str, list[Cost]]:
    """Wait until no sweep is under way and whatever waits says why; return what it cost.

    `database` is the watcher's or the owner's. Keys are the networks' names.
    """

    async def done() -> bool | None:
        async with database.unit_of_work(CROSS_TENANT) as session:
            live = select(func.count()).select_from(Sweep).where(Sweep.state.in_(LIVE))
            new = select(func.count()).select_from(Unswept).where(Unswept.reason.is_(None))
            return None if await session.scalar(live) or await session.scalar(new) else True

    await until(done, "every sweep to end", seconds_max=seconds_max)
    found = {}
    async with database.unit_of_work(CROSS_TENANT) as session:
        for network in chains:
            found[network] = await costs(session, network)
    return found
