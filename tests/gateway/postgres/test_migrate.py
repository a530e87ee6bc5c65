"""The schema's version: to head, back to nothing, and the refusal of anything between."""

import pytest
from sqlalchemy import text

from gateway.postgres.connect import connected
from gateway.postgres.migrate import migrate, require_database
from gateway.postgres.url import RUNTIME_ROLES, Role
from gateway.settings import SettingsError
from tests.conftest import FreshDatabase

LEFT_BEHIND = text("""
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relname NOT LIKE 'alembic_version%'
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
    AND typname NOT LIKE '%alembic_version'
""")


def test_down_to_nothing_and_up_again(database: FreshDatabase) -> None:
    """`base` leaves no table, function or type; the way up leads to the same head."""
    head, _ = migrate(database.settings, to="base")
    with connected(database.settings, "owner") as connection:
        assert connection.execute(LEFT_BEHIND).all() == []
    assert migrate(database.settings) == ("empty", head)
    assert migrate(database.settings) == (head, head)


@pytest.mark.parametrize("role", RUNTIME_ROLES)
def test_every_process_accepts_head_as_its_own_role(
    database: FreshDatabase, role: Role
) -> None:
    """Runtime roles may read the version that they have to check."""
    require_database(database.settings, role)


def test_a_schema_behind_is_refused_with_the_command(database: FreshDatabase) -> None:
    """The line names both versions and what to run."""
    head, _ = migrate(database.settings, to="base")
    with pytest.raises(SettingsError) as refusal:
        require_database(database.settings, "api")
    assert str(refusal.value) == (
        f"database is at empty, this version needs {head}: run `gateway migrate`"
    )


def test_a_schema_of_a_newer_version_is_refused(database: FreshDatabase) -> None:
    """An old program neither works on nor migrates what it does not know."""
    with connected(database.settings, "owner") as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(SettingsError, match=r"^database is at 9999, this version needs "):
        require_database(database.settings, "watcher")
    with pytest.raises(SettingsError, match=r"^migrate: Can't locate revision"):
        migrate(database.settings)


def test_an_unknown_revision_changes_nothing(database: FreshDatabase) -> None:
    """A mistyped `--to` is one line."""
    with pytest.raises(SettingsError, match=r"^migrate: Can't locate revision .*nowhere"):
        migrate(database.settings, to="nowhere")
    require_database(database.settings, "api")


def test_a_table_in_use_stops_the_migration_not_its_readers(database: FreshDatabase) -> None:
    """A lock that does not come within two seconds undoes all of it."""
    with connected(database.settings, "owner") as reader:
        reader.exec_driver_sql("SELECT * FROM network")
        with pytest.raises(
            SettingsError, match=r"^migrate: .*lock timeout .nothing was changed"
        ):
            migrate(database.settings, to="base")
    require_database(database.settings, "api")
