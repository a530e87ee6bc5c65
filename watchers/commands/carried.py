"""A command carried out: configuration, log and database; what refuses it becomes a line."""

import argparse
import sys
from collections.abc import Awaitable, Callable

import uvloop

from gateway import logs
from gateway.db import Database
from gateway.postgres.head import require_database
from gateway.postgres.url import role_url
from gateway.settings import Settings, SettingsError, load
from watchers.network import WrongChain
from watchers.store import CatalogChanged, LeaseLost

IDLE_SECONDS = 1.0
"""A connection that rested for longer is asked whether it lives; a round that fails is repeated."""
Command = Callable[[Settings, Database, argparse.Namespace], Awaitable[int]]


def carried_out(command: Command, args: argparse.Namespace) -> int:
    """Do one thing with the watcher's database; return its exit code (1: refused)."""
    try:
        settings = load(args.config)
        logs.configure(settings.logs.level)
        require_database(settings, "watcher")
        return uvloop.run(_with_database(command, settings, args))
    except WrongChain as wrong:
        sys.stderr.write(f"watchers: networks.{args.network}.identity: {wrong}\n")
        return 1
    except (SettingsError, LeaseLost, CatalogChanged) as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1


def opened(settings: Settings) -> Database:
    """Return the database as `gw_watcher`."""
    return Database(
        role_url(settings, "watcher"),
        pool_size=settings.database.pool_size,
        slow_milliseconds=settings.database.slow_query_milliseconds,
        idle_seconds=IDLE_SECONDS,
    )


async def _with_database(command: Command, settings: Settings, args: argparse.Namespace) -> int:
    database = opened(settings)
    try:
        return await command(settings, database, args)
    finally:
        await database.aclose()
