"""The four users: what they are, what they may do before any table grants them more."""

from pathlib import Path

import msgspec
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.postgres.connect import connected
from gateway.postgres.roles import prepare_server
from gateway.postgres.url import RUNTIME_ROLES, Role
from gateway.settings import SettingsError
from tests.conftest import FreshDatabase

ATTRIBUTES = text(
    "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication"
    " FROM pg_roles WHERE rolname = current_user"
)


@pytest.mark.parametrize("role", ["owner", *RUNTIME_ROLES])
def test_no_role_has_a_privilege_beyond_login(database: FreshDatabase, role: Role) -> None:
    """Neither superuser nor past row-level security, creating nothing outside its tables."""
    with connected(database.settings, role) as connection:
        row = connection.execute(ATTRIBUTES).one()
    assert tuple(row) == (True, False, False, False, False, False)


@pytest.mark.parametrize("role", RUNTIME_ROLES)
def test_a_runtime_role_cannot_create_tables(database: FreshDatabase, role: Role) -> None:
    """Not in `public`, not as temporary ones: runtime roles own nothing."""
    for statement in ("CREATE TABLE mine (id int)", "CREATE TEMP TABLE mine (id int)"):
        with (
            connected(database.settings, role) as connection,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("role", RUNTIME_ROLES)
def test_a_runtime_role_cannot_become_another(database: FreshDatabase, role: Role) -> None:
    """No membership leads from one role to the next."""
    with (
        connected(database.settings, role) as connection,
        pytest.raises(ProgrammingError, match="permission denied"),
    ):
        connection.exec_driver_sql("SET ROLE gw_owner")


@pytest.mark.parametrize("role", RUNTIME_ROLES)
def test_a_role_enters_our_database_only(database: FreshDatabase, role: Role) -> None:
    """The maintenance database of the embedded server is closed to everyone else."""
    with (
        pytest.raises(SettingsError, match="permission denied for database"),
        connected(database.settings, role, database="postgres"),
    ):
        pass


def test_a_wrong_password_is_refused(database: FreshDatabase) -> None:
    """Another role's password opens nothing."""
    url = database.url("api")
    secret = database.settings.secret("database.worker_password_file")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host=str(url.query["host"]), dbname=url.database, user="gw_api", password=secret
        )


@pytest.mark.parametrize(
    ("role", "administered", "hint"),
    [
        ("api", True, "(run `gateway migrate`)"),
        ("api", False, "(run `gateway migrate` with database.admin_password_file)"),
        ("admin", True, "(look at database.admin_user and database.admin_password_file)"),
    ],
)
def test_a_server_that_does_not_know_us_is_told_with_the_way_out(
    database: FreshDatabase, tmp_path: Path, role: Role, administered: bool, hint: str
) -> None:
    """`gateway migrate` makes users, where it may; it never sends anybody to itself."""
    wrong = tmp_path / "wrong"
    wrong.write_text("another one's")
    known = database.settings.database
    changed = msgspec.structs.replace(
        known,
        api_password_file=wrong,
        admin_password_file=wrong if administered else None,
    )
    settings = msgspec.structs.replace(database.settings, database=changed)
    with pytest.raises(SettingsError) as refusal, connected(settings, role):
        pass
    assert str(refusal.value).endswith(hint)


def test_preparing_again_takes_back_what_a_role_gained(database: FreshDatabase) -> None:
    """A repeated `gateway migrate` repairs drifted attributes and changes nothing else."""
    with connected(database.settings, "admin", autocommit=True) as admin:
        admin.exec_driver_sql("ALTER ROLE gw_api BYPASSRLS CREATEDB")
    prepare_server(database.settings)
    prepare_server(database.settings)
    with connected(database.settings, "api") as connection:
        assert tuple(connection.execute(ATTRIBUTES).one())[1:] == (False,) * 5
