"""`watchers coverage NETWORK`: which heights were read, by whom and when, and what is missing."""

import argparse
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, and_, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.models import Block, Cursor
from gateway.settings import Settings, SettingsError

HEIGHT_MAX = 2**63 - 1
GAPS = text("SELECT first_height, last_height FROM coverage_gaps(:network, :first, :last)")
NOT_SAID = "(not said)"


@dataclass(frozen=True, slots=True)
class Gap:
    """Heights, both included, of which not every block was read."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one provider served: standing blocks, the heights and the times between which."""

    provider: str
    blocks: int
    first: int
    last: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read of one network between two heights; `orphaned` blocks stand no more."""

    network: str
    first: int
    last: int
    blocks: int
    orphaned: int
    shares: tuple[Share, ...]
    gaps: tuple[Gap, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "network": self.network,
            "first": self.first,
            "last": self.last,
            "blocks": self.blocks,
            "orphaned": self.orphaned,
            "providers": [
                {
                    "provider": share.provider,
                    "blocks": share.blocks,
                    "first": share.first,
                    "last": share.last,
                    "since": share.since.isoformat(),
                    "until": share.until.isoformat(),
                }
                for share in self.shares
            ],
            "gaps": [{"first": gap.first, "last": gap.last} for gap in self.gaps],
        }

    def lines(self) -> list[str]:
        """Return it as a person reads it."""
        found = [
            f"network   {self.network}",
            f"heights   {self.first} to {self.last}",
            f"blocks    {self.blocks}, and {self.orphaned} orphaned",
            f"{'provider':<32}{'blocks':>9}{'first':>12}{'last':>12}  read between",
        ]
        found += [
            f"{share.provider:<32}{share.blocks:>9}{share.first:>12}{share.last:>12}  "
            f"{share.since:%Y-%m-%d %H:%M:%S} and {share.until:%Y-%m-%d %H:%M:%S}"
            for share in self.shares
        ]
        found += [f"GAP       {gap.first} to {gap.last}" for gap in self.gaps]
        return found if self.gaps else [*found, "gaps      none"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("network")
    parser.add_argument("--from", type=int, dest="first", metavar="N", help="lowest height")
    parser.add_argument("--to", type=int, dest="last", metavar="N", help="highest height")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Print the coverage; return 1 where there is a gap or nothing was read."""
    del settings
    for name, height in (("--from", args.first), ("--to", args.last)):
        if height is not None and not 0 <= height <= HEIGHT_MAX:
            raise SettingsError(f"{name}: {height} is no height")
    if None not in (args.first, args.last) and args.first > args.last:
        raise SettingsError(f"--from: {args.first} lies above --to {args.last}")
    async with database.unit_of_work(CROSS_TENANT) as session:
        found = await coverage(session, args.network, args.first, args.last)
    if found is None:
        print(f"{args.network}: never scanned")  # noqa: T201 - the command's output
        return 1
    print(json.dumps(found.document()) if args.json else "\n".join(found.lines()))  # noqa: T201 - the command's output
    return 1 if found.gaps else 0


async def coverage(
    session: AsyncSession, network: str, first: int | None = None, last: int | None = None
) -> Coverage | None:
    """Return what was read from `first` to `last`, by default from the first block to the cursor.

    What was asked for and lies before the first block or beyond the cursor is a gap like any
    other. None where the network was never scanned.
    """
    cursor = await session.get(Cursor, network)
    if cursor is None:
        return None
    lowest = select(func.min(Block.height)).where(Block.network_id == network)
    begun = await session.scalar(lowest) or 0
    first = begun if first is None else first
    last = cursor.height if last is None else last
    here = and_(Block.network_id == network, Block.height >= first, Block.height <= last)
    orphaned = select(func.sum(cast(Block.orphaned, Integer))).where(here)
    shares = await _shares(session, here)
    gaps = await _gaps(session, cursor, begun, (first, last))
    return Coverage(
        network=network,
        first=first,
        last=last,
        blocks=sum(share.blocks for share in shares),
        orphaned=await session.scalar(orphaned) or 0,
        shares=tuple(shares),
        gaps=tuple(gaps),
    )


async def _gaps(
    session: AsyncSession, cursor: Cursor, begun: int, asked: tuple[int, int]
) -> list[Gap]:
    """Return what is missing between the two heights that were asked for."""
    first, last = asked
    network = cursor.network_id
    rows = await session.execute(GAPS, {"network": network, "first": first, "last": last})
    before = [Gap(first, min(begun - 1, last))] if first < begun else []
    beyond = [Gap(max(cursor.height + 1, first), last)] if last > cursor.height else []
    return [*before, *(Gap(row.first_height, row.last_height) for row in rows), *beyond]


async def _shares(session: AsyncSession, here: Any) -> list[Share]:
    query = (
        select(
            Block.provider,
            func.count().label("blocks"),
            func.min(Block.height).label("first"),
            func.max(Block.height).label("last"),
            func.min(Block.scanned_at).label("since"),
            func.max(Block.scanned_at).label("until"),
        )
        .where(here, Block.orphaned.is_(False))
        .group_by(Block.provider)
        .order_by(Block.provider)
    )
    return [
        Share(row.provider or NOT_SAID, row.blocks, row.first, row.last, row.since, row.until)
        for row in await session.execute(query)
    ]
