"""`gateway database`: own the embedded PostgreSQL, in the foreground, until told to stop.

Exit code 0 after SIGTERM or SIGINT (fast shutdown), 1 if the server ended by itself.
"""

import argparse
import signal

import structlog

from gateway.commands import configured, takes
from gateway.postgres import Unusable
from gateway.postgres.cluster import Cluster, Server, owned
from gateway.postgres.url import is_embedded
from gateway.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    takes(parser, run)


def run(args: argparse.Namespace) -> int:
    """Serve until asked to stop."""
    settings = configured(args)
    if not is_embedded(settings):
        raise Unusable('database.url: only "embedded" is served by this command')
    with owned(settings) as cluster:
        _serve(settings, cluster)
    return 0


def _serve(settings: Settings, cluster: Cluster) -> None:
    log = structlog.get_logger()
    password = settings.secret("database.admin_password_file")
    if cluster.create_if_absent(password):
        log.info("database created", directory=str(cluster.data))
    if orphans := cluster.stop_orphans():
        log.warning("database of a killed owner stopped", processes=orphans)
    server = cluster.start()
    _stop_on_signals(server)
    if server.wait_until_ready():
        log.info("database ready", socket=str(cluster.run), pid=server.process.pid)
    server.wait()
    log.info("database stopped")


def _stop_on_signals(server: Server) -> None:
    # Until here a signal simply ends us, and initdb or the server with us.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.ask_to_stop())
