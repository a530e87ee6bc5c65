"""`gateway admin seed-dev`: all of it, once, beside what is there, and on test networks only."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.__main__ import main
from gateway.commands.seed_dev import development
from gateway.domain.addresses import AddressError, canonical
from gateway.postgres.connect import connected
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import NETWORK, write_config

TABLES = (
    "SELECT table_name FROM information_schema.tables"
    " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"
)
MINE = """
INSERT INTO network (id, family, display_name, identity, test, local)
    VALUES ('ethereum_sepolia', 'ethereum', 'Mine', '11155111', true, false);
INSERT INTO currency (id, network_id, code, decimals)
    VALUES ('MINE', 'ethereum_sepolia', 'ETH', 18);
INSERT INTO merchant (id, name, created_at)
    VALUES ('mer_0000000000000000000000dev1', 'Mine', now());
INSERT INTO invitation (id, token_hash, email, role, mailed, invited_by, created_at, expires_at)
    VALUES ('ivt_1', sha256('x'), 'me@me.example', 'ADMIN', false, 'me', now(), now() + interval '1 day')
"""


@pytest.fixture
def config(short_folder: Path, database: FreshDatabase, own_logging: None) -> Path:
    """Write a configuration for this test's database, with one test network."""
    assert own_logging is None
    return write_config(short_folder, database)


def rows(database: FreshDatabase, statement: str) -> list[Any]:
    """Read as gw_owner."""
    with connected(database.settings, "owner") as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def everything(database: FreshDatabase) -> dict[str, Any]:
    """Read every row of every table."""
    tables = [name for (name,) in rows(database, TABLES)]
    return {name: rows(database, f"SELECT r::text FROM {name} r ORDER BY 1") for name in tables}


def test_eight_networks_thirteen_currencies_and_merchants_once(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Disabled with a reason, no password, no key; a second run changes no row anywhere."""
    command = ["admin", "seed-dev", "--config", str(config)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    networks = rows(database, "SELECT family, test, enabled, disabled_reason FROM network")
    assert len(networks) == 8
    assert all(test and not enabled and reason for _, test, enabled, reason in networks)
    assert len(rows(database, "SELECT 1 FROM currency WHERE NOT enabled")) == 13
    assert rows(database, "SELECT count(*) FROM merchant_settings") == [(2,)]
    assert rows(database, "SELECT count(*) FROM customer") == [(2,)]
    assert rows(database, "SELECT count(*) FROM users") == [(0,)]
    assert rows(database, "SELECT count(*) FROM api_key") == [(0,)]
    tokens = re.findall(r"gwi_[0-9A-Za-z_-]{43}", printed)
    assert len(set(tokens)) == 3
    stored = rows(database, "SELECT i::text, a::text FROM invitation i, audit_log a")
    assert not any(token in str(stored) for token in tokens)
    before = everything(database)
    assert main(command) == 0
    assert capsys.readouterr().out == "nothing is missing\n"
    assert everything(database) == before


def test_what_is_there_stays(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network, a currency and a merchant of the same names, changed by people; an invited admin."""
    with connected(database.settings, "owner") as connection:
        for statement in MINE.split(";"):
            connection.execute(text(statement))
        connection.commit()
    mine = (
        "SELECT n::text FROM network n WHERE display_name = 'Mine' UNION ALL SELECT c::text FROM currency c "
        "WHERE id = 'MINE' UNION ALL SELECT m::text FROM merchant m WHERE name = 'Mine' "
        "UNION ALL SELECT i::text FROM invitation i WHERE id = 'ivt_1'"
    )
    before = rows(database, mine)
    assert main(["admin", "seed-dev", "--config", str(config)]) == 0
    assert rows(database, mine) == before
    assert len(before) == 4
    assert "admin@crypticgateway.example" not in capsys.readouterr().out
    found = rows(
        database, "SELECT id FROM customer UNION ALL SELECT merchant_id FROM merchant_settings"
    )
    assert found == [("mer_0000000000000000000000dev2",)]


def test_nobody_who_reads_is_one_line_and_an_exit_code(
    config: Path, database: FreshDatabase
) -> None:
    """As after `| head`: what was written stays, and the tokens that nobody saw are told as lost."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "gateway", "admin", "seed-dev", "--config", str(config)]
    ended = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "gateway: standard output was closed: what was printed is lost, what was done is in the audit log"
    ]
    assert len(rows(database, "SELECT id FROM network")) == 8


@pytest.mark.parametrize("where", ["configuration", "database"])
def test_a_real_network_anywhere_stops_it(
    config: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    """One line that names it, an exit code, and not one row."""
    if where == "configuration":
        real = NETWORK.replace("networks.ethereum", "networks.mainnet").replace(
            "test = true", ""
        )
        config.write_text(config.read_text() + real)
    else:
        with connected(database.settings, "owner") as connection:
            connection.execute(text(
                "INSERT INTO network (id, family, display_name, identity, test, local, enabled) "
                "VALUES ('mainnet', 'ethereum', 'x', '1', false, false, false)"
            ))  # fmt: skip
            connection.commit()
    before = everything(database)
    assert main(["admin", "seed-dev", "--config", str(config)]) != 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "mainnet is not marked test = true" in printed.err
    assert everything(database) == before


def test_the_sample_data_could_be_watched() -> None:
    """Contracts are addresses of their network's family; what has no family is disabled by name."""
    data = development()
    families = {each["id"]: each["family"] for each in data["networks"]}
    for each in data["currencies"]:
        if "contract" in each:
            assert canonical(families[each["network"]], each["contract"])
    for each in data["networks"]:
        assert ("disabled_reason" in each) == (each["family"] == "bitcoin")
    with pytest.raises(AddressError):
        canonical("bitcoin", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx")
