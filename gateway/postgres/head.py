"""Is the schema the one that these programs were written for? Asked at every start, without Alembic.

A file of `migrations/versions` begins with its revision's number; the newest is the head.
"""

import importlib.util
from pathlib import Path

from psycopg.errors import UndefinedTable
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from gateway.postgres import Unusable
from gateway.postgres.connect import connected
from gateway.postgres.url import Role
from gateway.settings import Settings

EMPTY = "empty"
_AT = text("SELECT version_num FROM alembic_version")
_REVISIONS = "[0-9]" * 4 + "_*.py"


def migrations_folder() -> Path:
    """Return where the revisions are."""
    spec = importlib.util.find_spec("migrations")
    if spec is None or spec.origin is None:
        raise Unusable("migrate: the package `migrations` is not installed")
    return Path(spec.origin).parent


def head() -> str:
    """Return the newest revision that these programs know."""
    names = sorted(path.name for path in (migrations_folder() / "versions").glob(_REVISIONS))
    return names[-1][:4] if names else EMPTY


def require_head(connection: Connection) -> None:
    """Refuse a schema that these programs were not written for."""
    at, needs = _revision(connection), head()
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


def _revision(connection: Connection) -> str:
    try:
        found: str | None = connection.scalar(_AT)
    except ProgrammingError as fault:
        if not isinstance(fault.orig, UndefinedTable):
            raise
        connection.rollback()
        return EMPTY
    return found or EMPTY
