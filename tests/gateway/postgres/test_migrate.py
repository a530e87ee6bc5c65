"""The schema's version: to head, back to nothing, and the refusal of anything between."""

import pytest
from sqlalchemy import text

from gateway.postgres.connect import connected
from gateway.postgres.head import head, require_database
from gateway.postgres.migrate import migrate
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
CATALOGUE = text("""
SELECT 'column', table_name::text, column_name::text, concat_ws(' ', data_type, column_default, is_nullable)
    FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename::text, indexname::text, indexdef
    FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text, tgenabled::text || pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname::text, oidvectortypes(proargtypes),
    concat_ws(' ', prosrc, prosecdef, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(proacl) a))
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'policy', tablename::text, policyname::text,
    concat_ws(' ', permissive, cmd, roles::text, qual, with_check)
    FROM pg_policies WHERE schemaname = 'public'
UNION ALL SELECT 'grant', c.relname::text, coalesce(a.attname::text, ''),
    (SELECT string_agg(g::text, ',' ORDER BY g::text) FROM unnest(CASE WHEN a.attnum IS NULL THEN c.relacl ELSE a.attacl END) g)
    FROM pg_class c LEFT JOIN LATERAL (SELECT NULL AS attname, NULL AS attnum, NULL::aclitem[] AS attacl
        UNION ALL SELECT attname, attnum, attacl FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) a ON true
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
""")


def test_down_to_nothing_and_up_again(database: FreshDatabase) -> None:
    """`base` leaves no table, function or type; the way up leads to the same head."""
    newest, _ = migrate(database.settings, to="base")
    assert newest == head(), "what Alembic calls the head is what processes ask for"
    with connected(database.settings, "owner") as connection:
        assert connection.execute(LEFT_BEHIND).all() == []
    assert migrate(database.settings) == ("empty", newest)
    assert migrate(database.settings) == (newest, newest)


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
def test_the_way_back_and_forth_leads_to_the_same_schema(
    database: FreshDatabase, revision: str
) -> None:
    """What a downgrade takes away, the upgrade puts back: rules and rights included."""
    before = _catalogue(database)
    migrate(database.settings, to=revision)
    migrate(database.settings)
    assert _catalogue(database) ^ before == set()


def test_a_database_made_with_the_first_release_gets_every_guard(
    database: FreshDatabase,
) -> None:
    """The trigger that counts a deposit seen again is missing in its revision 0001."""
    migrate(database.settings, to="0001")
    named = {row[2] for row in _catalogue(database) if row[0] == "trigger"}
    assert "deposit_count_again" not in named
    migrate(database.settings)
    named = {row[2] for row in _catalogue(database) if row[0] == "trigger"}
    assert "deposit_count_again" in named


@pytest.mark.parametrize("role", RUNTIME_ROLES)
def test_every_process_accepts_head_as_its_own_role(
    database: FreshDatabase, role: Role
) -> None:
    """Runtime roles may read the version that they have to check."""
    require_database(database.settings, role)


def test_a_schema_behind_is_refused_with_the_command(database: FreshDatabase) -> None:
    """The line names both versions and what to run."""
    newest, _ = migrate(database.settings, to="base")
    with pytest.raises(SettingsError) as refusal:
        require_database(database.settings, "api")
    assert str(refusal.value) == (
        f"database is at empty, this version needs {newest}: run `gateway migrate`"
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


def _catalogue(database: FreshDatabase) -> set[tuple[str, ...]]:
    with connected(database.settings, "owner") as connection:
        return {tuple(map(str, row)) for row in connection.execute(CATALOGUE)}
