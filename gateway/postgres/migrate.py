"""Alembic without an alembic.ini: to head and back.

Each call is one transaction under one advisory lock: the schema moves as a whole or not at
all, and two operators cannot move it at once.
"""

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from gateway.postgres import Unusable
from gateway.postgres.connect import connected
from gateway.postgres.head import EMPTY, migrations_folder
from gateway.settings import Settings

_LOCK_KEY = 0x6777_6D69_6772_6174  # "gwmigrat": any number that only we use


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
    return before or EMPTY, after or EMPTY


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
    config = Config()
    folder = str(migrations_folder())
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
