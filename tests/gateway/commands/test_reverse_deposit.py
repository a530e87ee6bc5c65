"""`gateway admin reverse-deposit` as an operator types it."""

from pathlib import Path

import psycopg
import pytest

from gateway.__main__ import main
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config
from tests.migrations.test_ledger_rules import POSTING, connect, ledger, new_journal

__all__ = ["ledger"]
DEPOSIT = (
    "INSERT INTO deposit (id, network_id, tx_hash, kind, ordinal, currency_id, units, fee_units, sender, address, "
    "purpose, merchant_id, status, block_height, block_hash, block_time, detected_at, confirmed_at) VALUES "
    "('dep_1', 'ethereum', '0x01', 'native', 0, 'ETH-ETHEREUM', 50, 1, '0xaa', '0xbb', 'merchant', 'mer_2', "
    "'confirmed', 1, '0x02', now(), now(), now())"
)


@pytest.fixture
def config(short_folder: Path, ledger: FreshDatabase, own_logging: None) -> Path:
    """Write a configuration for a ledger with one deposit of 50 units less a fee of one."""
    assert own_logging is None
    with connect(ledger, "owner") as owner:
        owner.execute(DEPOSIT)
        journal = new_journal(owner, "deposit", "ethereum:0x01:native:0", "mer_2")
        owner.execute(POSTING, [journal, "mer_2", "DEPOSIT", 49, 0])
        owner.execute(POSTING, [journal, "revenue", "FEE", 1, 0])
        owner.execute(POSTING, [journal, "custody", "DEPOSIT", -50, 0])
    return write_config(short_folder, ledger)


def _one(owner: psycopg.Connection, query: str) -> tuple[object, ...]:
    row = owner.execute(query).fetchone()
    assert row is not None
    return tuple(row)


def test_a_deposit_is_taken_back_once_and_on_record(
    config: Path, ledger: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fee and balance are as before; the reason stands in the audit log; again it is refused."""
    command = [
        "admin",
        "reverse-deposit",
        "dep_1",
        "--config",
        str(config),
        "--reason",
        "deep reorg",
    ]
    assert main(command) == 0
    wallets = "SELECT sum(confirmed) FROM wallet WHERE account IN ('mer_2', 'revenue')"
    with connect(ledger, "owner") as owner:
        assert _one(owner, wallets) == (0,)
        assert _one(owner, "SELECT confirmed FROM wallet WHERE account = 'custody'") == (-100,)
        noted = "SELECT actor LIKE 'cli:%', merchant_id, after->>'reason' FROM audit_log"
        assert _one(owner, noted) == (True, "mer_2", "deep reorg")
    capsys.readouterr()
    assert main(command) != 0
    assert "is not credited to anybody" in capsys.readouterr().err
    assert main([*command[:2], "dep_x", *command[3:]]) != 0
    assert "there is no deposit dep_x" in capsys.readouterr().err
