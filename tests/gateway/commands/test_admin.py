"""`gateway admin` as an operator types it."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.__main__ import main
from gateway.accounts.keys import is_well_formed
from gateway.postgres.connect import connected
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config


@pytest.fixture
def config(short_folder: Path, database: FreshDatabase, own_logging: None) -> Path:
    """Write a configuration for this test's database."""
    assert own_logging is None
    return write_config(short_folder, database)


def _rows(database: FreshDatabase, statement: str) -> list[Any]:
    with connected(database.settings, "owner") as connection:
        return list(connection.execute(text(statement)).all())


def test_an_operators_key_is_printed_once(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone on standard output, a test key unless told otherwise, with a row in the audit log."""
    command = ["admin", "create-operator-key", "--config", str(config), "--name", "me"]
    assert main(command) == 0
    key = capsys.readouterr().out.strip()
    assert is_well_formed(key)
    assert key.startswith("gw_test_")
    assert main([*command, "--live", "--scopes", "app_wallets:read", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["key"].startswith("gw_live_")
    assert document["scopes"] == ["app_wallets:read"]
    keys = _rows(database, "SELECT merchant_id, livemode FROM api_key ORDER BY id")
    assert [tuple(row) for row in keys] == [(None, False), (None, True)]
    records = _rows(
        database, "SELECT action, actor, row_to_json(a)::text AS t FROM audit_log a"
    )
    assert {row.action for row in records} == {"api_key.created"}
    assert all(row.actor.startswith("cli:") for row in records)
    assert key not in str(records)


def test_an_operators_key_is_listed_and_ended_at_the_machine(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """No route shows it; what was offered with it ends too. A second time there is none."""
    create = ["admin", "create-operator-key", "--config", str(config), "--name", "lost laptop"]
    assert main([*create, "--json"]) == 0
    key = json.loads(capsys.readouterr().out)
    offer = (
        "INSERT INTO invitation (id, token_hash, email, role, mailed, invited_by, created_at,"
        " expires_at) VALUES ('ivt_1', sha256('x'), 'a@b', 'OPERATOR', true, :key, now(),"
        " now() + interval '1 day')"
    )
    with connected(database.settings, "owner") as connection:
        connection.execute(text(offer), {"key": key["id"]})
        connection.commit()
    shown = ["admin", "keys", "--config", str(config)]
    assert main(shown) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"{key['id']}  {key['prefix']}...  test  ")
    assert line.endswith("  never used  lost laptop\n")
    revoke = ["admin", "revoke-key", "--config", str(config), "--key"]
    assert main([*revoke, key["id"]]) == 0
    assert main([*revoke, key["id"]]) == 1
    assert main(shown) == 0
    assert "  revoked 20" in capsys.readouterr().out
    assert main([*shown, "--merchant", "mer_nobody"]) == 0
    assert capsys.readouterr().out == ""
    assert _rows(database, "SELECT 1 FROM invitation WHERE revoked_at IS NULL") == []
    records = _rows(database, "SELECT action FROM audit_log ORDER BY id")
    assert [row.action for row in records] == [
        "api_key.created", "api_key.revoked", "invitation.revoked",
    ]  # fmt: skip


def test_the_end_of_an_operators_key_says_what_becomes_of_those_it_made(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every shop may hang on them, and a thief may have them: nobody ends or keeps them unasked."""
    admin = ["admin", "create-operator-key", "--config", str(config), "--name", "x", "--json"]
    makers = []
    for number in range(2):
        assert main(admin) == 0
        makers.append(json.loads(capsys.readouterr().out)["id"])
        made = (
            "INSERT INTO api_key (id, merchant_id, name, prefix, key_hash, scopes, livemode,"
            " created_at, created_by, made_with) VALUES (:id, 'mer_1', 'x', 'x',"
            " convert_to(:id, 'UTF8'), '{}', false, now(), :by, :by)"
        )
        with connected(database.settings, "owner") as connection:
            shop = (
                "INSERT INTO merchant (id, name, created_at) VALUES ('mer_1', 'x', now())"
                " ON CONFLICT DO NOTHING"
            )
            connection.execute(text(shop))
            connection.execute(text(made), {"id": f"key_{number}", "by": makers[number]})
            connection.commit()
    revoke = ["admin", "revoke-key", "--config", str(config), "--key"]
    assert main([*revoke, makers[0]]) == 1
    assert "--made: 1 keys of merchants" in capsys.readouterr().err
    assert main(["admin", "keys", "--config", str(config), "--made-by", makers[0]]) == 0
    assert capsys.readouterr().out.startswith("key_0  ")
    assert main([*revoke, makers[0], "--made", "keep"]) == 0
    assert main([*revoke, makers[1], "--made", "end"]) == 0
    ended = _rows(database, "SELECT id FROM api_key WHERE revoked_at IS NOT NULL")
    assert {row.id for row in ended} == {*makers, "key_1"}


def test_what_is_nobodys_is_listed(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for people or a document for programs; nothing where nothing is."""
    command = ["admin", "unattributed", "--config", str(config)]
    assert main(command) == 0
    assert capsys.readouterr().out == ""
    statements = (
        """INSERT INTO network (id, family, display_name, identity, test, local)
           VALUES ('ethereum', 'ethereum', 'Ethereum', '1', true, true) ON CONFLICT DO NOTHING""",
        """INSERT INTO stray (id, network_id, tx_hash, kind, ordinal, asset, units, sender, address,
               reason, status, block_height, block_hash, block_time, detected_at)
           VALUES ('dep_1', 'ethereum', '0xfeed', 'token', 0, '0xbad', 7, '', '0xours',
               'asset_not_listed', 'confirmed', 1, 'h', now(), now())""",
    )
    with connected(database.settings, "owner") as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown == "dep_1  confirmed  asset_not_listed       7 units 0xbad  0xfeed\n"
    assert main([*command, "--json", "--reason", "asset_not_listed"]) == 0
    assert json.loads(capsys.readouterr().out)["amount_atomic"] == "7"
    assert main([*command, "--live"]) == 0
    assert main([*command, "--reason", "wrong_asset"]) == 0
    assert capsys.readouterr().out == ""


def test_a_merchants_key_needs_a_merchant(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown one is one line."""
    command = ["admin", "create-merchant-key", "--config", str(config), "--name", "shop"]
    assert main([*command, "--merchant", "mer_nobody"]) == 1
    assert capsys.readouterr().err == "gateway: there is no merchant mer_nobody\n"
    with connected(database.settings, "owner") as connection:
        connection.execute(
            text("INSERT INTO merchant (id, name, created_at) VALUES ('mer_1', 'x', now())")
        )
        connection.commit()
    assert (
        main([*command, "--merchant", "mer_1", "--scopes", "invoices:read, settings:read"]) == 0
    )
    assert is_well_formed(capsys.readouterr().out.strip())
    (row,) = _rows(database, "SELECT merchant_id, scopes FROM api_key")
    assert tuple(row) == ("mer_1", ["invoices:read", "settings:read"])


def test_a_scope_that_does_not_exist_is_refused(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, no key."""
    command = ["admin", "create-operator-key", "--config", str(config), "--name", "me"]
    for scopes in ("invoices:read", "nonsense", ","):
        assert main([*command, "--scopes", scopes]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "scope" in printed.err or "one of" in printed.err
    assert _rows(database, "SELECT 1 FROM api_key") == []


def test_the_catalogue_is_synchronised(config: Path, database: FreshDatabase) -> None:
    """Networks and currencies of the configuration are rows afterwards."""
    assert main(["admin", "sync-catalog", "--config", str(config)]) == 0
    (row,) = _rows(database, "SELECT id FROM currency")
    assert row.id == "ETH-ETHEREUM"


def test_a_schema_that_is_not_at_head_is_refused(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both commands name the one that is missing."""
    with connected(database.settings, "owner") as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        connection.commit()
    for command in (["admin", "sync-catalog"], ["api"]):
        assert main([*command, "--config", str(config)]) == 1
        assert capsys.readouterr().err.endswith("run `gateway migrate`\n")
