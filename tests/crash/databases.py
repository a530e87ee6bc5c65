"""Databases of their own for sites that live as long as a module."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from gateway.postgres.roles import ensure_database
from gateway.postgres.url import EMBEDDED_DATABASE
from tests.conftest import FreshDatabase, TestServer, _settings_of

_numbers = itertools.count(1)


@contextmanager
def cloned(server: TestServer) -> Iterator[FreshDatabase]:
    """Clone the migrated template; drop the clone afterwards."""
    name = f"site_{next(_numbers)}"
    ensure_database(server.admin, name, template=EMBEDDED_DATABASE)
    yield FreshDatabase(_settings_of(server.settings, name))
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    server.admin.exec_driver_sql(drop.as_string())
