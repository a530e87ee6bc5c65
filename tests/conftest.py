"""Fixtures that every room shares: the event loop, and a fresh database per test.

One embedded PostgreSQL serves the whole session, started by the code that serves operators. Its
migrated `gateway` database is the template; each test that asks for `database` gets a clone.
"""

import gc
import itertools
import logging
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import structlog
from psycopg import sql
from sqlalchemy import URL, Connection

from gateway.commands.init import create_secrets
from gateway.postgres.cluster import running
from gateway.postgres.connect import connected
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import ensure_database, prepare_server
from gateway.postgres.url import EMBEDDED_DATABASE, Role, role_url, socket_directory
from gateway.settings import (
    ApiSettings,
    DatabaseSettings,
    Settings,
    WebhookSettings,
    WithdrawalSettings,
)

pytest_plugins = ["tests.campaign"]
ROOM_BYTES = 2**31


# The cluster dies with the session: nothing of it needs to reach a disk.
_HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage: all that is loaded lasts as long as the session.

    What tests leave behind later is found as ever; only what was there before them is left out.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@dataclass(frozen=True, slots=True)
class FreshDatabase:
    """A migrated database of its own; `settings` lead to it as any role (`networks` is empty)."""

    settings: Settings

    def url(self, role: Role) -> URL:
        """Address of this database as gw_owner, gw_api, gw_worker, gw_watcher or admin."""
        return role_url(self.settings, role)


@dataclass(frozen=True, slots=True)
class TestServer:
    """The session's server: where it is, and its administrator's connection."""

    __test__ = False

    settings: Settings
    admin: Connection


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio only: that is what the processes use."""
    return "asyncio"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Folder with a path short enough for Unix sockets, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        yield Path(folder)


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Folder in memory where there is room: each copy of a database is hundreds of files."""
    shared = Path("/dev/shm")  # noqa: S108 - only what lasts as long as the test
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > ROOM_BYTES
    with tempfile.TemporaryDirectory(prefix="gw-", dir=shared if roomy else None) as folder:
        yield Path(folder)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Let a test configure logging; the next one finds it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def database_server() -> Iterator[TestServer]:
    """Start the session's PostgreSQL with its migrated template database."""
    with folder_in_memory() as folder:
        settings = Settings(networks={}, data_dir=folder)
        names = (f"secret-{number}" for number in itertools.count())
        create_secrets(settings, lambda: next(names))
        with running(settings, options=_HASTY, durable=False):
            prepare_server(settings)
            migrate(settings)
            with connected(settings, "admin", database="postgres", autocommit=True) as admin:
                yield TestServer(settings, admin)


_numbers = itertools.count(1)


@pytest.fixture
def database(database_server: TestServer) -> Iterator[FreshDatabase]:
    """Clone the template for one test."""
    with cloned(database_server) as database:
        yield database


@contextmanager
def cloned(server: TestServer) -> Iterator[FreshDatabase]:
    """Clone the template; drop the clone afterwards, open connections or not."""
    name = f"test_{next(_numbers)}"
    admin = server.admin
    copied(admin, name)
    yield FreshDatabase(_settings_of(server.settings, name))
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    admin.exec_driver_sql(drop.as_string())


def copied(admin: Connection, name: str, template: str = EMBEDDED_DATABASE) -> None:
    """Make a database that is like the template, in half of the time that writing ahead takes."""
    copy = sql.SQL("CREATE DATABASE {} OWNER gw_owner TEMPLATE {} STRATEGY FILE_COPY")
    admin.exec_driver_sql(
        copy.format(sql.Identifier(name), sql.Identifier(template)).as_string()
    )
    ensure_database(admin, name)


def _settings_of(server: Settings, name: str) -> Settings:
    """Point to one database of the session's server, in the form for servers of one's own."""
    secrets = server.data_dir / "secrets"
    return msgspec.structs.replace(
        server,
        data_dir=server.data_dir / name,
        database=DatabaseSettings(
            url=f"postgresql:///{name}?host={socket_directory(server)}&port=5432",
            admin_password_file=secrets / "admin_password",
            owner_password_file=secrets / "owner_password",
            api_password_file=secrets / "api_password",
            worker_password_file=secrets / "worker_password",
            watcher_password_file=secrets / "watcher_password",
        ),
        api=ApiSettings(key_pepper_file=secrets / "key_pepper", offers_milliseconds=0),
        webhooks=WebhookSettings(master_secret_file=secrets / "master_secret"),
        # Few tests run a watcher; those about destinations ask for its word.
        withdrawals=WithdrawalSettings(unchecked=True),
    )
