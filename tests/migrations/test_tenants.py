"""Plain SQL as gw_api, without any filter, reaches one merchant's rows only: in every table.

The catalogue is asked which tables there are; one that is not a merchant's must be named in
`seeds` with its reason. Two merchants have rows in each.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.db import Database
from tests.conftest import FreshDatabase, TestServer, cloned
from tests.contract.objects import staged
from tests.migrations.seeds import OPERATORS_ONLY, SHARED, columns_of, owner_of, seeded
from tests.migrations.test_ledger_rules import connect

pytestmark = pytest.mark.anyio

REFUSED = "42501"
"""SQLSTATE of a missing grant, and of a row that a policy does not let in."""


@dataclass(frozen=True)
class Two:
    """Two merchants with a row in every table of a tenant."""

    database: FreshDatabase
    mine: str
    theirs: str
    owners: dict[str, str]
    """The condition under which a row is a merchant's, by table."""

    def visible(self, table: str, merchant_id: str | None) -> int:
        """Return how many rows of a table a setting may show: its merchant's own."""
        if table in OPERATORS_ONLY or merchant_id not in {self.mine, self.theirs}:
            return 0
        query = f"SELECT count(*) FROM {table} WHERE {self.owners[table]}"
        with connect(self.database, "admin") as admin:
            [(count,)] = admin.execute(query.encode(), [merchant_id]).fetchall()
        assert count > 0, f"no row in {table}"
        return int(count)


@pytest.fixture(scope="module")
async def two(database_server: TestServer) -> AsyncIterator[Two]:
    """Seed both merchants."""
    with cloned(database_server) as database:
        async with staged(database) as stage:
            sides = (stage.mine.merchant_id, stage.theirs.merchant_id)
        with connect(database, "admin") as admin:
            for merchant_id in sides:
                seeded(admin, merchant_id)
            columns = columns_of(admin)
        owners = {table: owner_of(table, found) for table, found in columns.items()}
        yield Two(database, *sides, {t: owner for t, owner in owners.items() if owner})


def _as_merchant(api: psycopg.Connection, merchant_id: str) -> None:
    api.execute("SELECT set_config('app.merchant_id', %s, true)", [merchant_id])


def _readable(two: Two) -> list[str]:
    """Return every table of which gw_api may read something."""
    query = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p', 'v', 'm') AND has_any_column_privilege(oid, 'SELECT') ORDER BY 1"
    )
    with connect(two.database, "api") as api:
        return [row[0] for row in api.execute(query)]


async def test_every_table_is_a_tenants_or_is_known_to_be_shared(two: Two) -> None:
    """Whatever gw_api can read has an owner or a reason, and every owned table is secured."""
    for table in _readable(two):
        known = (table in two.owners, table in SHARED, table in OPERATORS_ONLY)
        assert any(known), f"{table}: whose rows are these?"
        assert not (table in two.owners and table in SHARED), table
    with connect(two.database, "admin") as admin:
        query = "SELECT relname FROM pg_class WHERE relrowsecurity"
        secured = {row[0] for row in admin.execute(query)}
    assert set(two.owners) <= secured
    assert len(two.owners) >= 26


async def test_a_setting_shows_one_merchants_rows(two: Two) -> None:
    """As many rows as are its own, none under nobody's id, an empty one, or no setting at all."""
    with connect(two.database, "api") as api:
        for table in _readable(two):
            if table in SHARED:
                continue
            for merchant_id in (two.mine, two.theirs, "mer_other", "", None):
                if merchant_id is not None:
                    _as_merchant(api, merchant_id)
                seen = api.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
                assert seen == (two.visible(table, merchant_id),), (table, merchant_id)
                api.rollback()


async def test_the_next_user_of_a_pooled_connection_has_no_setting(two: Two) -> None:
    """After a commit, a fault and a kill of the statement: one connection, nobody's rows."""
    database = Database(two.database.url("api"), pool_size=1)
    for _ in range(3):
        with pytest.raises(ProgrammingError):
            async with database.unit_of_work(two.theirs) as session:
                await session.execute(text("SELECT nonsense"))
        async with database.unit_of_work(two.theirs) as session:
            assert await session.scalar(text("SELECT count(*) FROM invoice"))
        async with database.unit_of_work(None) as session:
            for table in set(_readable(two)) & set(two.owners):
                seen = await session.scalar(text(f"SELECT count(*) FROM {table}"))
                assert seen == 0, table
    await database.aclose()


def _granted(api: psycopg.Connection, table: str, right: str) -> list[str]:
    """Return the columns of a table that gw_api may insert or update."""
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attidentity <> 'a' AND attgenerated = ''"
        " AND has_column_privilege(attrelid, attnum, %s)"
    )
    return [row[0] for row in api.execute(query, [table, right])]


def _reached(api: psycopg.Connection, query: sql.Composed, values: list[object]) -> int | str:
    """Return how many rows a statement reached, or the SQLSTATE that refused it."""
    try:
        with api.transaction(force_rollback=True):
            return api.execute(query, values).rowcount
    except psycopg.Error as fault:
        return fault.sqlstate or ""


async def test_nothing_of_another_merchant_can_be_changed_or_deleted(two: Two) -> None:
    """UPDATE and DELETE of another merchant's rows are refused, or find no row."""
    updated = 0
    with connect(two.database, "api") as api:
        _as_merchant(api, two.mine)
        for table, owner in two.owners.items():
            name, where = sql.Identifier(table), sql.SQL(owner)
            for column in _granted(api, table, "UPDATE"):
                place = sql.Identifier(column)
                query = sql.SQL("UPDATE {} SET {} = {} WHERE {}")
                reached = _reached(api, query.format(name, place, place, where), [two.theirs])
                assert reached in {0, REFUSED}, (table, column)
                updated += reached == 0
            query = sql.SQL("DELETE FROM {} WHERE {}")
            assert _reached(api, query.format(name, where), [two.theirs]) in {0, REFUSED}, table
    assert updated >= 20


async def test_no_row_can_be_written_for_another_merchant(two: Two) -> None:
    """A copy of another merchant's row is refused by the policy, before any other rule."""
    tried = 0
    with connect(two.database, "admin") as admin, connect(two.database, "api") as api:
        _as_merchant(api, two.mine)
        for table, owner in two.owners.items():
            columns = _granted(api, table, "INSERT")
            if not columns:
                continue
            query = f"SELECT to_jsonb(t) FROM {table} t WHERE {owner} LIMIT 1"
            [(row,)] = admin.execute(query.encode(), [two.theirs]).fetchall()
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            insert = sql.SQL(
                "INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, %s)"
            ).format(table=sql.Identifier(table), names=names)
            assert _reached(api, insert, [Jsonb(row)]) == REFUSED, table
            tried += 1
    assert tried >= 12
