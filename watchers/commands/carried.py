"""A command carried out: configuration, log and database; what refuses it becomes a line."""

import argparse
import sys
from collections.abc import Awaitable, Callable

import uvloop

from gateway import logs
from gateway.db import UNHEARD_SECONDS, Database
from gateway.postgres.head import require_database
from gateway.postgres.url import role_url
from gateway.settings import Settings, SettingsError, load
from watchers import lease
from watchers.contention import AGAIN, TryAgain
from watchers.network import WrongChain
from watchers.store import CatalogChanged, LeaseLost

IDLE_SECONDS = 1.0
"""A connection that rested for longer is asked whether it lives; a round that fails is repeated."""
Command = Callable[[Settings, Database, argparse.Namespace], Awaitable[int]]


def carried_out(command: Command, args: argparse.Namespace) -> int:
    """Do one thing with the watcher's database; return its exit code as `answered` does."""

    def work() -> int:
        settings = load(args.config)
        logs.configure(settings.logs.level)
        require_database(settings, "watcher")
        return uvloop.run(_with_database(command, settings, args))

    return answered(work, args)


def answered(work: Callable[[], int], args: argparse.Namespace) -> int:
    """Return the exit code of what is done; what stands in its way becomes a line.

    1 says that it is refused, `AGAIN` that the same may be asked for once more.
    """
    try:
        return work()
    except WrongChain as wrong:
        sys.stderr.write(f"watchers: networks.{args.network}.identity: {wrong}\n")
        return 1
    except TryAgain as busy:
        sys.stderr.write(f"watchers: {busy}: nothing was done, try again\n")
        return AGAIN
    except (SettingsError, LeaseLost, CatalogChanged) as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1


def opened(settings: Settings, *, unheard_seconds: float = UNHEARD_SECONDS) -> Database:
    """Return the database as `gw_watcher`."""
    return Database(
        role_url(settings, "watcher"),
        pool_size=settings.database.pool_size,
        slow_milliseconds=settings.database.slow_query_milliseconds,
        idle_seconds=IDLE_SECONDS,
        unheard_seconds=unheard_seconds,
    )


async def _with_database(command: Command, settings: Settings, args: argparse.Namespace) -> int:
    # The process of a network lets the next one in; a command may rest for as long as who reads it.
    seconds = lease.UNHEARD_SECONDS if args.command == "run" else UNHEARD_SECONDS
    database = opened(settings, unheard_seconds=seconds)
    try:
        return await command(settings, database, args)
    finally:
        await database.aclose()
