"""From memory to the database: one statement that adds, every few seconds and at the end."""

import asyncio
from contextlib import suppress

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.db import CROSS_TENANT, Database
from gateway.usage.counting import Usage, row_of

FLUSH_SECONDS = 5.0
_AWAY = (OperationalError, InterfaceError, PoolTimeout, OSError)
_ADD = text("SELECT add_usage(CAST(:rows AS jsonb))")
log = structlog.get_logger()


async def flush(database: Database, usage: Usage) -> bool:
    """Write what was counted; if the database is away it stays for the next time."""
    counts = usage.taken()
    if not counts:
        return True
    rows = [row_of(entry, each) for entry, each in counts.items()]
    try:
        async with database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(_ADD, {"rows": msgspec.json.encode(rows).decode()})
    except _AWAY as trouble:
        usage.put_back(counts)
        log.warning(
            "usage not written",
            entries=len(counts),
            dropped=usage.dropped,
            reason=type(trouble).__name__,
        )
        return False
    except BaseException:
        usage.put_back(counts)
        raise
    return True


async def keep_flushing(database: Database, usage: Usage, stop: asyncio.Event) -> None:
    """Flush every few seconds until `stop`, and once more then."""
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await stop.wait()
        await flush(database, usage)
