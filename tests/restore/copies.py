"""A PostgreSQL of its own whose data directory is copied and put back, as a cold backup is.

The server is stopped, the whole directory is copied, and a restore replaces the directory by the
copy: tables, indexes, sequences and write-ahead log are those of that moment, byte for byte.
"""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.commands.init import create_secrets
from gateway.postgres.cluster import Cluster, Server, owned
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.settings import Settings
from tests.conftest import _HASTY, FreshDatabase, _settings_of

DATABASE = "gateway"


@dataclass
class Copies:
    """A running server and the newest copy of its data."""

    cluster: Cluster
    server: Server
    database: FreshDatabase

    @property
    def copy(self) -> Path:
        """Where the copy lies."""
        return self.cluster.folder / "copy"

    def back_up(self) -> None:
        """Stop, copy the data directory, start again."""
        self.server.stop()
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.cluster.data, self.copy, symlinks=True)
        self._start()

    def restore(self) -> None:
        """Stop, replace the data directory by the copy, start again."""
        self.server.stop()
        shutil.rmtree(self.cluster.data)
        shutil.copytree(self.copy, self.cluster.data, symlinks=True)
        self._start()

    def _start(self) -> None:
        self.server = self.cluster.start(_HASTY)
        self.server.wait_until_ready()


@contextmanager
def serving(folder: Path) -> Iterator[Copies]:
    """Make a migrated cluster in `folder`, serve it, stop it."""
    settings = Settings(networks={}, data_dir=folder)
    names = (f"secret-{number}" for number in itertools.count())
    create_secrets(settings, lambda: next(names))
    with owned(settings) as cluster:
        cluster.create_if_absent(settings.secret("database.admin_password_file"), durable=False)
        server = cluster.start(_HASTY)
        server.wait_until_ready()
        copies = Copies(cluster, server, FreshDatabase(_settings_of(settings, DATABASE)))
        try:
            prepare_server(settings)
            migrate(settings)
            yield copies
        finally:
            copies.server.stop()
