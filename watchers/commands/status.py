"""`watchers status`: how far every network has come, what troubles its tasks, and what is held."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime

from gateway.db import CROSS_TENANT, Database
from gateway.models import AssetHold, NetworkHealth
from watchers import health
from watchers.clock import now
from watchers.pay import holds

STALE_SECONDS = 30


async def command(database: Database) -> int:
    """Print it; 1 where anything is not well."""
    rows = await health.all_networks(database)
    async with database.unit_of_work(CROSS_TENANT) as session:
        held = await holds.everywhere(session)
    told = list(lines(rows, held, now().at))
    head = f"{'network':<14}{'head':>12}{'scanned':>12}{'final':>12}{'age s':>8}  trouble"
    sys.stdout.writelines(f"{line}\n" for line in (head, *(line for line, _ in told)))
    return 0 if rows and all(well for _, well in told) else 1


def lines(
    rows: Sequence[NetworkHealth], held: Sequence[AssetHold], at: datetime
) -> Iterator[tuple[str, bool]]:
    """Yield each line and whether it is well. What a watcher that is gone said last is left out."""
    for row in rows:
        age = int((at - row.updated_at).total_seconds())
        gone = age > STALE_SECONDS
        trouble = row.trouble or ("no watcher is running" if gone else "-")
        place = f"{row.head_height:>12}{row.scanned_height:>12}{row.final_height:>12}{age:>8}"
        yield f"{row.network_id:<14}{place}  {trouble}", trouble == "-"
        for task, each in ({} if gone else row.troubles).items():
            since = f"since {each['since'][:19]}"
            yield f"{row.network_id:<14}{task} waits {since}: {each['reason']}", False
    for hold in held:
        yield f"{hold.currency_id} {hold.address} held ({hold.cause}): {hold.reason}", False
