"""The rules of a withdrawal stand twice, in Python and in a trigger: they are the same rules."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from gateway.domain.withdrawal import MOVES, may_approve, may_move
from gateway.postgres.connect import connected
from tests.conftest import FreshDatabase

STAGE = """
INSERT INTO network (id, family, display_name, identity, test, local)
    VALUES ('ethereum', 'ethereum', 'Ethereum', '1', true, true);
INSERT INTO currency (id, network_id, code, decimals) VALUES ('ETH-ETHEREUM', 'ethereum', 'ETH', 18);
INSERT INTO merchant (id, name, created_at) VALUES ('mer_1', 'Shop', now());
"""
ASK = text("""
INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, fee_units,
    destination, status, created_by, created_at, updated_at)
VALUES (:id, 'mer_1', false, 'ETH-ETHEREUM', 'ethereum', 1, 0, '0x', :status, 'key_1', now(), now())
""")
MOVE = text("UPDATE withdrawal SET status = :status WHERE id = :id")


def trigger_lets(connection: Connection, before: str, after: str) -> bool:
    """Ask the trigger, and take everything back."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(ASK, {"id": "wdr_1", "status": before})
        connection.execute(MOVE, {"id": "wdr_1", "status": after})
    except IntegrityError:
        return False
    else:
        return True
    finally:
        savepoint.rollback()


def test_the_trigger_allows_exactly_what_the_rules_allow(database: FreshDatabase) -> None:
    """All 81 pairs; staying where one is is no move and always fine."""
    with connected(database.settings, "owner") as connection:
        connection.exec_driver_sql(STAGE)
        for before in MOVES:
            for after in MOVES:
                allowed = before == after or may_move(before, after)
                assert trigger_lets(connection, before, after) == allowed, (before, after)


CHANGES = {
    "units": "2",
    "fee_units": "1",
    "destination": "'0xbad'",
    "created_by": "'key_2'",
    "currency_id": "'OTHER'",
    "network_id": "'other'",
    "merchant_id": "'mer_2'",
}


def test_what_was_asked_for_never_changes(database: FreshDatabase) -> None:
    """Not even by the owner of the tables."""
    with connected(database.settings, "owner") as connection:
        connection.exec_driver_sql(STAGE)
        connection.execute(ASK, {"id": "wdr_1", "status": "pending"})
        for column, value in CHANGES.items():
            savepoint = connection.begin_nested()
            with pytest.raises(IntegrityError, match="what was asked for never changes"):
                connection.exec_driver_sql(f"UPDATE withdrawal SET {column} = {value}")
            savepoint.rollback()


def test_the_end_is_the_end() -> None:
    """Nothing leads out of an ended state, and before signing nothing leads to a payment."""
    for ended in ("completed", "rejected", "canceled", "failed"):
        assert MOVES[ended] == set()
    assert not may_move("pending", "signing")
    assert not may_move("signing", "canceled")


def test_a_key_approves_its_own_request_only_below_the_limit() -> None:
    """At the limit it is already too much; another key may approve anything."""

    def may(approver: str, units: int) -> bool:
        return may_approve(
            creator="key_1", approver=approver, units=units, automatic_below_units=10
        )

    assert may("key_1", 9)
    assert not may("key_1", 10)
    assert may("key_2", 10**30)
