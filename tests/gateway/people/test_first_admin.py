"""`gateway admin invite-first-admin`: the one way in, from the machine itself, while nobody is in."""

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.__main__ import main
from gateway.postgres.connect import connected
from gateway.sessions import tokens
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config


def test_the_first_admin_comes_by_one_token(
    short_folder: Path,
    database: FreshDatabase,
    own_logging: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A second call takes the first token back; with an admin there it is refused."""
    assert own_logging is None
    config = write_config(short_folder, database)
    command = ["admin", "invite-first-admin", "--config", str(config), "--email"]
    assert main([*command, "nobody"]) != 0
    assert "--email" in capsys.readouterr().err
    shown = []
    for _ in range(2):
        assert main([*command, "Root@house.example"]) == 0
        shown.append(capsys.readouterr().out.strip())
    assert all(tokens.is_token(token, tokens.INVITATION) for token in shown)
    accept = text(
        "SELECT role, email FROM accept_invitation(:hash, :id, NULL, NULL, 'x', now())"
    )
    with connected(database.settings, "owner") as connection:
        made = [
            connection.execute(accept, {"hash": tokens.hashed(token), "id": f"usr_{n}"}).all()
            for n, token in enumerate(shown)
        ]
        connection.commit()
        assert [[tuple(row) for row in rows] for rows in made] == [
            [], [("ADMIN", "root@house.example")],
        ]  # fmt: skip
        records = connection.execute(text("SELECT row_to_json(a)::text FROM audit_log a")).all()
    assert "gwi_" not in str(records)
    assert main([*command, "second@house.example"]) != 0
    assert "there is an admin already" in capsys.readouterr().err
