"""The four database users, and what a database grants them before the first table exists.

`gw_owner` owns the database and runs migrations; `gw_api`, `gw_worker` and `gw_watcher` only
use what the migrations grant to each of them. None may step over row-level security.
"""

from collections.abc import Mapping

from psycopg import sql
from sqlalchemy import Connection, text

from gateway.postgres.connect import connected
from gateway.postgres.url import (
    RUNTIME_ROLES,
    Role,
    database_name,
    is_embedded,
    user_name,
)
from gateway.settings import Settings

_LOCK_KEY = 0x6777_726F_6C65_7300  # "gwroles": any number that only we use

LOGIN_ROLES: tuple[Role, ...] = ("owner", *RUNTIME_ROLES)

_UNPRIVILEGED = sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION")


def prepare_server(settings: Settings) -> None:
    """As administrator: create or repair the users and the database, and close both.

    Safe to repeat; passwords are set to what the secret files hold now.
    """
    passwords: dict[Role, str] = {
        role: settings.secret(f"database.{role}_password_file") for role in LOGIN_ROLES
    }
    name = database_name(settings)
    with connected(settings, "admin", database="postgres", autocommit=True) as admin:
        # Held until the connection ends: users cannot be altered twice at once.
        admin.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
        ensure_roles(admin, {user_name(settings, role): passwords[role] for role in passwords})
        ensure_database(admin, name)
        if is_embedded(settings):
            _run(admin, sql.SQL("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC"))
    with connected(settings, "admin", autocommit=True) as admin:
        _close_schema(admin)


def ensure_roles(admin: Connection, passwords: Mapping[str, str]) -> None:
    """Create each user, or take back whatever privilege it has gained; set its password.

    Only a SCRAM verifier leaves this process, so no server log can hold a password.
    """
    existing = {
        row.rolname: bool(row.privileged)
        for row in admin.execute(
            text(
                "SELECT rolname, NOT rolcanlogin OR rolsuper OR rolbypassrls OR rolcreatedb"
                " OR rolcreaterole OR rolreplication AS privileged FROM pg_roles"
            )
        )
    }
    for user, password in passwords.items():
        role = sql.Identifier(user)
        if user not in existing:
            _run(admin, sql.SQL("CREATE ROLE {} {}").format(role, _UNPRIVILEGED))
        elif existing[user]:
            _run(admin, sql.SQL("ALTER ROLE {} {}").format(role, _UNPRIVILEGED))
        verifier = _scram_verifier(admin, user, password)
        _run(
            admin,
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)),
        )


def ensure_database(admin: Connection, name: str, *, template: str = "template0") -> None:
    """Create the database unless it is there; owner gw_owner, nobody else but our users."""
    database = sql.Identifier(name)
    known = text("SELECT 1 FROM pg_database WHERE datname = :name")
    if admin.scalar(known, {"name": name}) is None:
        _let_administrator_act_as_owner(admin)
        _run(
            admin,
            sql.SQL("CREATE DATABASE {} OWNER gw_owner TEMPLATE {} ENCODING 'UTF8'").format(
                database, sql.Identifier(template)
            ),
        )
    _run(admin, sql.SQL("ALTER DATABASE {} OWNER TO gw_owner").format(database))
    _run(admin, sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    _run(
        admin,
        sql.SQL("GRANT CONNECT ON DATABASE {} TO gw_api, gw_worker, gw_watcher").format(
            database
        ),
    )


def _close_schema(admin: Connection) -> None:
    """In our database: `public` belongs to the owner, the others may only look names up."""
    _run(admin, sql.SQL("ALTER SCHEMA public OWNER TO gw_owner"))
    _run(admin, sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    _run(admin, sql.SQL("GRANT USAGE ON SCHEMA public TO gw_api, gw_worker, gw_watcher"))


def _let_administrator_act_as_owner(admin: Connection) -> None:
    """Join gw_owner where the administrator is no superuser, as on managed servers."""
    if not admin.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        _run(admin, sql.SQL("GRANT gw_owner TO CURRENT_USER"))


def _scram_verifier(admin: Connection, user: str, password: str) -> str:
    libpq = admin.connection.driver_connection.pgconn  # type: ignore[union-attr]  # psycopg's
    verifier: bytes = libpq.encrypt_password(password.encode(), user.encode(), b"scram-sha-256")
    return verifier.decode()


def _run(admin: Connection, statement: sql.Composable) -> None:
    """Execute DDL, where PostgreSQL takes no parameters: psycopg quotes the names."""
    admin.exec_driver_sql(statement.as_string())
