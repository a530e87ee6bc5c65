"""`watchers status`: how far every network has come, what troubles its tasks, and what is held."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from gateway.db import CROSS_TENANT, Database
from gateway.models import AssetHold, NetworkHealth
from gateway.settings import Settings
from watchers import health
from watchers.clock import now
from watchers.pay import holds

STALE_SECONDS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take none: it is about every network."""
    del parser


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Print it; 1 where anything is not well."""
    del args
    lags = {name: each.lag_seconds_max for name, each in settings.networks.items()}
    rows = await health.all_networks(database)
    async with database.unit_of_work(CROSS_TENANT) as session:
        held = await holds.everywhere(session)
    told = list(lines(rows, held, now().at, lags))
    head = f"{'network':<14}{'head':>12}{'scanned':>12}{'final':>12}{'age s':>8}  trouble"
    sys.stdout.writelines(f"{line}\n" for line in (head, *(line for line, _ in told)))
    return 0 if all(well for _, well in told) else 1


def _stale(row: NetworkHealth, at: datetime, lags: Mapping[str, int]) -> str:
    """Say so where the chain, or the node that shows it, stands still; `-` where it does not."""
    most = lags.get(row.network_id)
    if row.head_time is None or most is None:
        return "-"
    age = int((at - row.head_time).total_seconds())
    return "-" if age <= most else f"the newest block read is {age} seconds old"


def _gone(row: NetworkHealth) -> str:
    said = "" if row.trouble is None else f", the last one said: {row.trouble}"
    return f"no watcher is running{said}"


def lines(
    rows: Sequence[NetworkHealth],
    held: Sequence[AssetHold],
    at: datetime,
    lags: Mapping[str, int],
) -> Iterator[tuple[str, bool]]:
    """Yield each line and whether it is well. What a watcher that is gone said last is left out.

    `lags` are the seconds that the newest block may be old, of each network that there has to be.
    """
    for row in rows:
        age = int((at - row.updated_at).total_seconds())
        gone = age > STALE_SECONDS
        trouble = _gone(row) if gone else row.trouble or _stale(row, at, lags)
        place = f"{row.head_height:>12}{row.scanned_height:>12}{row.final_height:>12}{age:>8}"
        yield f"{row.network_id:<14}{place}  {trouble}", trouble == "-"
        for task, each in ({} if gone else row.troubles).items():
            since = f"since {each['since'][:19]}"
            yield f"{row.network_id:<14}{task} waits {since}: {each['reason']}", False
    for network in sorted(lags.keys() - {row.network_id for row in rows}):
        place = f"{'-':>12}{'-':>12}{'-':>12}{'-':>8}"
        yield f"{network:<14}{place}  no watcher has begun: its log says why", False
    for hold in held:
        yield f"{hold.currency_id} {hold.address} held ({hold.cause}): {hold.reason}", False
