"""`gateway admin reset-factors` as an operator types it."""

from pathlib import Path

from sqlalchemy import text

from gateway.__main__ import main
from gateway.postgres.connect import connected
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config


def test_the_machine_helps_an_admin_who_lost_everything(
    short_folder: Path, shared: FreshDatabase, own_logging: None
) -> None:
    """Factors and sessions are gone, it is on record and mailed; a stranger's address is a fault."""
    assert own_logging is None
    command = ["admin", "reset-factors", "--config", str(write_config(short_folder, shared))]
    with connected(shared.settings, "owner") as owner:
        for statement in (
            (
                "INSERT INTO users (id, email, role, password_hash, created_at)"
                " VALUES ('usr_1', 'root@house.example', 'ADMIN', 'h', now())"
            ),
            "INSERT INTO passkey VALUES ('pky_1', 'usr_1', 'x', 'c', 'k', 0, '{}', now(), NULL)",
            "INSERT INTO recovery_code VALUES ('usr_1', sha256('x'), now(), NULL)",
            (
                "SELECT open_session('ses_1', 'usr_1', sha256('t'), 'h', false, NULL, NULL, now(),"
                " now() + interval '1 hour')"
            ),
        ):
            owner.execute(text(statement))
        owner.commit()
    assert main([*command, "--email", "stranger@house.example"]) == 1
    assert main([*command, "--email", "Root@house.example"]) == 0
    with connected(shared.settings, "owner") as owner:
        counts = owner.execute(
            text(
                "SELECT (SELECT count(*) FROM passkey), (SELECT count(*) FROM recovery_code),"
                " (SELECT count(*) FROM user_session WHERE revoked_at IS NULL),"
                " (SELECT count(*) FROM notification WHERE recipient = 'root@house.example'),"
                " (SELECT count(*) FROM audit_log WHERE action = 'factors.reset'"
                " AND actor LIKE 'cli:%' AND subject = 'usr_1')"
            )
        ).one()
    assert tuple(counts) == (0, 0, 0, 1, 1)
