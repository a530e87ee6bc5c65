"""Alembic without an alembic.ini: to head, back, and the question whether we are at head.

Each call is one transaction under one advisory lock: the schema moves as a whole or not at
all, and two operators cannot move it at once.
"""

import importlib.util
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from gateway.postgres import Unusable
from gateway.postgres.connect import connected
from gateway.postgres.url import Role
from gateway.settings import Settings

_LOCK_KEY = 0x6777_6D69_6772_6174  # "gwmigrat": any number that only we use
_EMPTY = "empty"


def migrate(settings: Settings, *, to: str | None = None) -> tuple[str, str]:
    """As gw_owner: upgrade to head, or downgrade to `to`; answer the revisions (from, to)."""
    with connected(settings, "owner") as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        # After the lock above, which may be waited for: a table in use must not block readers.
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        before = _revision(connection)
        try:
            _move(connection, to)
        except CommandError as fault:
            raise Unusable(f"migrate: {fault}".replace("\n", " ")) from fault
        except (OperationalError, psycopg.OperationalError) as fault:
            # A revision may use the driver's cursor, whose errors SQLAlchemy does not wrap.
            cause = fault.orig if isinstance(fault, OperationalError) else fault
            reason = str(cause).strip().splitlines()[0]
            raise Unusable(f"migrate: {reason} (nothing was changed)") from fault
        # Every process checks the version at its start, as its own user.
        connection.execute(
            text("GRANT SELECT ON alembic_version TO gw_api, gw_worker, gw_watcher")
        )
        after = _revision(connection)
        connection.commit()
    return before or _EMPTY, after or _EMPTY


def require_head(connection: Connection) -> None:
    """Refuse a schema that these programs were not written for."""
    at = _revision(connection) or _EMPTY
    needs = ScriptDirectory.from_config(_config()).get_current_head() or _EMPTY
    if at != needs:
        raise Unusable(
            f"database is at {at}, this version needs {needs}: run `gateway migrate`"
        )


def require_database(settings: Settings, role: Role) -> None:
    """Start-up check of every process: the database answers us and is at head.

    Blocks for up to five seconds; call it before the event loop.
    """
    with connected(settings, role) as connection:
        require_head(connection)


def _move(connection: Connection, to: str | None) -> None:
    config = _config()
    config.attributes["connection"] = connection
    if to is None:
        command.upgrade(config, "head")
    else:
        command.downgrade(config, to)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    spec = importlib.util.find_spec("migrations")
    if spec is None or spec.origin is None:
        raise Unusable("migrate: the package `migrations` is not installed")
    config = Config()
    folder = str(Path(spec.origin).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
