"""The schema as migrated: models agree with it, tenants are apart, roles are small."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from gateway.models import Table
from tests.conftest import FreshDatabase
from tests.migrations.test_ledger_rules import RUNTIME, connect

TENANT_TABLES = (
    "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
    "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace "
    "AND a.attname = 'merchant_id' AND NOT a.attisdropped ORDER BY 1"
)


def test_models_and_migrations_name_the_same_tables_and_columns(
    database: FreshDatabase,
) -> None:
    """Nothing is missing on either side."""
    engine = create_engine(database.url("owner"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = [
            difference
            for difference in compare_metadata(context, Table.metadata)
            if isinstance(difference, tuple)
            and difference[0] in {"add_table", "remove_table", "add_column", "remove_column"}
            and getattr(difference[1], "name", "") != "alembic_version"
        ]
    engine.dispose()
    assert differences == []


def test_every_table_with_a_merchant_has_row_level_security(database: FreshDatabase) -> None:
    """The catalogue is asked, so a new tenant table cannot be forgotten."""
    with connect(database, "owner") as owner:
        tables = [row[0] for row in owner.execute(TENANT_TABLES)]
        secured = {
            row[0] for row in owner.execute("SELECT relname FROM pg_class WHERE relrowsecurity")
        }
    assert len(tables) >= 15
    assert set(tables) <= secured


def test_the_api_without_a_tenant_sees_no_row_of_any_tenant_table(
    database: FreshDatabase,
) -> None:
    """No setting means nobody: zero rows, not an error and not everything."""
    with connect(database, "owner") as owner:
        owner.execute(
            "INSERT INTO merchant (id, name, created_at) VALUES ('mer_1', 'x', now())"
        )
        owner.commit()
        tables = [row[0] for row in owner.execute(TENANT_TABLES)]
    with connect(database, "api") as api:
        for table in [*tables, "merchant"]:
            count = api.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count == (0,), table


def test_runtime_roles_own_nothing_and_bypass_nothing(database: FreshDatabase) -> None:
    """None is superuser, none bypasses row-level security, none owns a table."""
    with connect(database, "owner") as owner:
        for role in RUNTIME:
            row = owner.execute(
                "SELECT rolsuper, rolbypassrls, (SELECT count(*) FROM pg_class WHERE relowner = r.oid) "
                "FROM pg_roles r WHERE rolname = %s",
                [f"gw_{role}"],
            ).fetchone()
            assert row == (False, False, 0)


def test_ledger_triggers_fire_always(database: FreshDatabase) -> None:
    """Also for replication roles: `session_replication_role` switches none of them off."""
    engine = create_engine(database.url("owner"))
    with engine.connect() as connection:
        states = connection.execute(
            text(
                "SELECT DISTINCT tgenabled FROM pg_trigger WHERE NOT tgisinternal AND "
                "tgrelid::regclass::text IN ('wallet', 'journal', 'balance_history', 'withdrawal')"
            )
        )
        assert [row[0] for row in states] == ["A"]
    engine.dispose()
