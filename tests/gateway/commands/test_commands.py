"""`gateway init` and `gateway migrate` as an operator types them."""

from pathlib import Path

import pytest

from gateway.__main__ import COMMANDS, main
from gateway.commands.init import create_secrets
from gateway.postgres.connect import connected
from gateway.postgres.head import require_database
from gateway.settings import DatabaseSettings, Settings, load
from tests.conftest import FreshDatabase

NETWORK = """
data_dir = "data"
[networks.ethereum]
family = "ethereum"
display_name = "Ethereum"
identity = "31337"
rpc_urls = ["http://127.0.0.1:1"]
test = true
assets = [{ code = "ETH", decimals = 18 }]
"""


@pytest.fixture
def config(short_folder: Path, own_logging: None) -> Path:
    """Write the smallest configuration."""
    assert own_logging is None
    path = short_folder / "gateway.toml"
    path.write_text(NETWORK)
    return path


def test_init_makes_secrets_for_the_owner_only(config: Path) -> None:
    """Seven different ones, mode 0600 in a folder of mode 0700."""
    assert main(["init", "--config", str(config)]) == 0
    folder = config.parent / "data" / "secrets"
    files = list(folder.iterdir())
    assert len({file.read_text() for file in files}) == len(files) == 7
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (config.parent / "data").stat().st_mode & 0o777 == 0o700


def test_init_never_replaces_a_secret(config: Path) -> None:
    """A second run creates what is missing and nothing else."""
    settings = load(config)
    create_secrets(settings, lambda: "first")
    (settings.data_dir / "secrets" / "key_pepper").unlink()
    (new,) = create_secrets(settings, lambda: "second")
    assert new.name == "key_pepper"
    assert settings.secret("api.key_pepper_file") == "second"
    assert settings.secret("database.owner_password_file") == "first"


def test_init_leaves_to_the_operator_what_is_the_operators(short_folder: Path) -> None:
    """Neither a secret with a path of its own nor another server's administrator."""
    settings = Settings(
        networks={},
        data_dir=short_folder,
        database=DatabaseSettings(
            url="postgresql://db.example/shop", owner_password_file=short_folder / "mine"
        ),
    )
    names = {path.name for path in create_secrets(settings, lambda: "text")}
    assert not names & {"admin_password", "owner_password"}
    assert {"api_password", "worker_password", "watcher_password"} <= names


def test_init_does_not_show_what_it_made(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output names files."""
    main(["init", "--config", str(config)])
    output = "".join(capsys.readouterr())
    for file in (config.parent / "data" / "secrets").iterdir():
        assert str(file) in output
        assert file.read_text().strip() not in output


def test_migrate_before_init_names_the_missing_secret(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the key that has no file yet."""
    assert main(["migrate", "--config", str(config)]) == 1
    assert capsys.readouterr().err.startswith("gateway: database.owner_password_file: ")


def test_migrate_without_a_server_names_the_key(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the key, and the command that is missing."""
    create_secrets(load(config), lambda: "text")
    assert main(["migrate", "--config", str(config)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gateway: database.url: cannot connect to embedded at ")
    assert line.endswith("(is `gateway database` running?)")


def test_migrate_makes_users_database_and_schema(config: Path, database: FreshDatabase) -> None:
    """From a server that knows nothing of this database to one that every role accepts."""
    there = database.settings.database
    url = there.url.replace("///", "///made_by_", 1)
    keys = {"url": url} | {
        name: str(getattr(there, name))
        for name in there.__struct_fields__
        if name.endswith("password_file")
    }
    section = "\n".join(f'{key} = "{value}"' for key, value in keys.items())
    config.write_text(f"{NETWORK}\n[database]\n{section}\n")
    assert main(["migrate", "--config", str(config)]) == 0
    require_database(load(config), "watcher")
    assert main(["migrate", "--config", str(config), "--to", "base"]) == 0
    with connected(database.settings, "admin", database="postgres", autocommit=True) as admin:
        name = url.partition("///")[2].partition("?")[0]
        admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_database_refuses_to_serve_another_server(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a URL there is nothing to own."""
    config.write_text(f'{NETWORK}\n[database]\nurl = "postgresql://db.example/shop"\n')
    assert main(["database", "--config", str(config)]) == 1
    assert 'database.url: only "embedded"' in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command all of them are declared."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    listed = capsys.readouterr().out
    assert all(name in listed for name in COMMANDS)
