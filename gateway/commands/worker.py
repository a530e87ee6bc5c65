"""`gateway worker`: send webhooks, expire invoices, record prices, until told to stop.

Exit code 0 after SIGTERM or SIGINT, when the requests in flight have ended.
"""

import argparse
import asyncio
import gc
import signal

import uvloop

from gateway import worker
from gateway.commands import Subparsers, configured, declare
from gateway.postgres.head import require_database
from gateway.settings import Settings

COLLECT_AFTER = 20_000
"""As for the API: deliveries under way are far more new objects than Python's own 700."""


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    declare(subparsers, "worker", "send webhooks, expire invoices, record prices", run)


def run(args: argparse.Namespace) -> int:
    """Work until asked to stop."""
    settings = configured(args)
    require_database(settings, "worker")
    uvloop.run(_until_told(settings))
    return 0


async def _until_told(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    await worker.run(settings, stop)
