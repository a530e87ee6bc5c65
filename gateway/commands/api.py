"""`gateway api`: serve HTTP until told to stop.

Exit code 0 after SIGTERM or SIGINT, when the requests in flight are answered.
"""

import argparse
import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
import uvloop

from gateway import garbage
from gateway.app import create_api
from gateway.commands import configured, takes
from gateway.db import Database
from gateway.postgres.head import require_database
from gateway.postgres.url import role_url
from gateway.settings import Settings, SettingsError
from gateway.usage.flushing import keep_flushing

GRACE_SECONDS = 20
"""How long answers in flight may take after SIGTERM."""
BACKLOG = 2048
IDLE_SECONDS = 1.0


class _Server(uvicorn.Server):
    """Uvicorn without its own signals: it would end by raising the signal once more."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us."""
        yield


def add(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    takes(parser, run)


def run(args: argparse.Namespace) -> int:
    """Serve until asked to stop."""
    settings = configured(args)
    require_database(settings, "api")
    with _listening(settings) as listener:
        uvloop.run(_serve(settings, listener))
    return 0


def _listening(settings: Settings) -> socket.socket:
    """Take the port before anything else, so that a second instance ends with one line."""
    host, port = settings.api.host, settings.api.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as fault:
        raise SettingsError(
            f"api.port: cannot listen on {host} port {port}: {fault.strerror}"
        ) from fault


async def _serve(settings: Settings, listener: socket.socket) -> None:
    log = structlog.get_logger()
    database = Database(
        role_url(settings, "api"),
        pool_size=settings.database.pool_size,
        slow_milliseconds=settings.database.slow_query_milliseconds,
        idle_seconds=IDLE_SECONDS,
    )
    api = create_api(settings, database)
    server = _Server(
        uvicorn.Config(
            api.asgi,
            access_log=False,
            lifespan="off",
            log_config=None,
            log_level="warning",
            proxy_headers=bool(settings.api.trusted_proxies),
            forwarded_allow_ips=settings.api.trusted_proxies,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    garbage.settle()
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port)
    stop = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_flushing(database, api.usage, stop))
            try:
                await server.serve(sockets=[listener])
            finally:
                stop.set()
    finally:
        await database.aclose()
    log.info("stopped")
