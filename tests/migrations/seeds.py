"""A row in every tenant's table, whatever the table is: values by type.

Written as the server's administrator, with every check, foreign key and trigger of the copy
taken away: to row-level security it only matters whose a row is.
"""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

SHARED = {
    "alembic_version": "the schema's revision, for the check at the start",
    "application_wallet": "addresses of the house, which are on the chain",
    "application_wallet_balance": "what those addresses hold, on the chain as well",
    "asset_hold": "an asset that is not credited is not available to anybody",
    "currency": "the catalogue",
    "fee_quote": "what a payout costs now, the same for everybody",
    "network": "the catalogue",
    "network_health": "whether a network's watcher keeps up",
    "policy_snapshot": "the keystore's limits as the operator published them",
    "price_history": "prices of the market",
}
"""Tables that gw_api reads whoever asks, each with its reason."""

OPERATORS_ONLY = frozenset(
    {"approval", "approval_order", "pause", "refusal", "resolution", "stray", "stray_day"}
)
"""Tables that gw_api sees under an operator's setting only."""

_BY_TYPE: dict[str, Any] = {
    "bool": False,
    "date": "2026-11-20",
    "float8": 1,
    "inet": "127.0.0.1",
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "json": Jsonb({}),
    "jsonb": Jsonb({}),
    "numeric": 1,
    "signed_units": 1,
    "timestamptz": "2026-11-20T14:00:00Z",
    "units": 1,
}

_RULES = """
SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', r.relname, c.conname)
FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
WHERE c.contype = 'c' AND r.relnamespace = 'public'::regnamespace
UNION ALL
SELECT format('ALTER TABLE %I DISABLE TRIGGER ALL', relname) FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
"""

_COLUMNS = """
SELECT c.relname, a.attname, t.typname,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AS needed
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""

Columns = dict[str, dict[str, tuple[str, bool]]]


def columns_of(admin: psycopg.Connection) -> Columns:
    """Return type and need of every column, by table and column."""
    found: Columns = {}
    for table, column, kind, needed in admin.execute(_COLUMNS):
        found.setdefault(table, {})[column] = (kind, needed)
    return found


def owner_of(table: str, columns: dict[str, tuple[str, bool]]) -> str | None:
    """Return the condition under which a row belongs to a merchant; None for other tables."""
    if table == "merchant":
        return "id = %s"
    for name in ("merchant_id", "asker"):
        if name in columns:
            return f"{name} = %s"
    if "user_id" in columns:
        return "user_id IN (SELECT id FROM users WHERE merchant_id = %s)"
    return None


def seeded(admin: psycopg.Connection, merchant_id: str) -> None:
    """Give the merchant a row in every table that has none of its own yet."""
    columns = columns_of(admin)
    for (statement,) in admin.execute(_RULES).fetchall():
        admin.execute(statement)
    for table in sorted(columns, key=lambda name: name != "users"):
        condition = owner_of(table, columns[table])
        if condition is None:
            continue
        query = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {condition})"
        if admin.execute(query.encode(), [merchant_id]).fetchone() == (False,):
            row = _row(table, columns[table], merchant_id)
            if "user_id" in row:
                row["user_id"] = _person(admin, merchant_id)
            _insert(admin, table, row)
    admin.commit()


def _row(table: str, columns: dict[str, tuple[str, bool]], merchant_id: str) -> dict[str, Any]:
    own = f"{table}_{merchant_id}"
    values = {**_BY_TYPE, "text": own, "bytea": own.encode()}
    row = {
        name: [] if kind.startswith("_") else values[kind]
        for name, (kind, needed) in columns.items()
        if needed
    }
    for name in ("merchant_id", "asker"):
        if name in columns:
            row[name] = merchant_id
    return row


def _person(admin: psycopg.Connection, merchant_id: str) -> str:
    query = "SELECT min(id) FROM users WHERE merchant_id = %s"
    [(user_id,)] = admin.execute(query, [merchant_id]).fetchall()
    return str(user_id)


def _insert(admin: psycopg.Connection, table: str, row: dict[str, Any]) -> None:
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() for _ in row),
    )
    admin.execute(query, list(row.values()))
