"""`gateway worker`: all that the clock and the queues set going, until told to stop.

Exit code 0 after SIGTERM or SIGINT, when the requests in flight have ended.
"""

import argparse
import asyncio
import signal

import uvloop

from gateway import garbage, worker
from gateway.commands import configured, takes
from gateway.postgres.head import require_database
from gateway.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    takes(parser, run)


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
    garbage.settle()
    await worker.run(settings, stop)
