"""The embedded server as operators meet it: `gateway database`, its signals, its passwords."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.commands.init import create_secrets
from gateway.postgres.cluster import owned, running
from gateway.postgres.connect import connected
from gateway.postgres.process import servers_in
from gateway.postgres.url import socket_directory
from gateway.settings import Settings, SettingsError, load

CONFIG = """
data_dir = "data"
[networks.ethereum]
family = "ethereum"
display_name = "Ethereum"
identity = "31337"
rpc_urls = ["http://127.0.0.1:1"]
test = true
assets = [{ code = "ETH", decimals = 18 }]
"""
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def config() -> Iterator[Path]:
    """One initialised data directory that the tests of this file start and stop in turn."""
    with tempfile.TemporaryDirectory(prefix="gw-") as name:
        path = Path(name) / "gateway.toml"
        path.write_text(CONFIG)
        settings = load(path)
        create_secrets(settings, lambda: "one password for all")
        with owned(settings) as cluster:
            cluster.create_if_absent("one password for all", durable=False)
        yield path


class Command:
    """A `gateway` command as an operating system process, its events as they come."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *words],
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read log lines until the event; a process that ends first fails the test."""
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if line.startswith("{") and (fields := json.loads(line))["event"] == event:
                return dict(fields)
        raise AssertionError(f"ended without {event!r}: {lines}")

    def end(self) -> tuple[int, str]:
        """Wait for the end: exit code and what was still to be read."""
        _, rest = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, rest


@contextmanager
def database_command(config: Path) -> Iterator[Command]:
    """Run `gateway database` until ready; whatever the test did, nothing is left behind."""
    command = Command("database", "--config", str(config))
    try:
        yield command
    finally:
        command.process.kill()
        command.end()
        until(lambda: not servers_in(data_of(config)))


def data_of(config: Path) -> Path:
    """Find the data directory that a configuration leads to."""
    return (config.parent / "data" / "pg" / "data").resolve()


def until(true: Callable[[], bool]) -> None:
    """Wait for a condition that another process brings about."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def answers(settings: Settings) -> bool:
    """Ask the server something as its administrator."""
    with connected(settings, "admin", database="postgres") as admin:
        return admin.exec_driver_sql("SELECT 1").scalar() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_the_server_cleanly(config: Path, number: signal.Signals) -> None:
    """Exit code 0, no process, and nothing to recover at the next start."""
    with database_command(config) as command:
        command.wait_for("database ready")
        assert answers(load(config))
        command.process.send_signal(number)
        code, _ = command.end()
        assert code == 0
        assert not servers_in(data_of(config))
    assert not (data_of(config) / "postmaster.pid").exists()


def test_a_second_owner_is_refused_in_one_line(config: Path) -> None:
    """The second command names the directory and leaves the first one's server alone."""
    with database_command(config) as command:
        command.wait_for("database ready")
        code, output = Command("database", "--config", str(config)).end()
        assert code == 1
        assert output.splitlines() == [
            f"gateway: data_dir: another `gateway database` owns {config.parent / 'data'}"
        ]
        assert answers(load(config))


def test_a_killed_owner_leaves_no_server_and_can_start_again(config: Path) -> None:
    """After kill -9 of the command the server stops by itself; the next one comes up."""
    with database_command(config) as command:
        command.wait_for("database ready")
        command.process.kill()
        command.end()
        with database_command(config) as successor:
            successor.wait_for("database ready")
            assert answers(load(config))


def test_a_killed_server_ends_the_command_with_an_error(config: Path) -> None:
    """Kill -9 of postgres: the command says so, exits 1, and the next start recovers."""
    with database_command(config) as command:
        os.kill(command.wait_for("database ready")["pid"], signal.SIGKILL)
        code, output = command.end()
        assert code == 1
        assert "gateway: database: postgres ended with status -9" in output
    with database_command(config) as command:
        command.wait_for("database ready")
        assert answers(load(config))


def test_an_orphan_is_stopped_before_a_new_start(config: Path) -> None:
    """A server without owner (its death signal lost) is replaced, not fought over."""
    settings = load(config)
    with owned(settings) as cluster:
        orphan = cluster.start()
        orphan.wait_until_ready()
    with database_command(config) as command:
        command.wait_for("database of a killed owner stopped")
        assert command.wait_for("database ready")["pid"] != orphan.process.pid
    orphan.stop()


def test_a_lock_file_that_names_a_stranger_does_not_block(config: Path) -> None:
    """After a crash, process numbers are given out anew: ours may be anyone's now."""
    lock = data_of(config) / "postmaster.pid"
    lock.write_text(f"{os.getppid()}\n{data_of(config)}\n")
    with running(load(config)):
        assert answers(load(config))


def test_a_wrong_password_is_refused_for_everyone(config: Path) -> None:
    """The socket trusts nobody, the administrator included."""
    settings = load(config)
    with running(settings):
        where = f"host={socket_directory(settings)} dbname=postgres user=postgres"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"{where} password=wrong")
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(where)


def test_the_server_listens_on_its_private_socket_only(config: Path) -> None:
    """No TCP port; socket folder and data for the owner's eyes only."""
    settings = load(config)
    with (
        running(settings),
        connected(settings, "admin", database="postgres") as admin,
    ):
        assert admin.exec_driver_sql("SHOW listen_addresses").scalar() == ""
        assert admin.exec_driver_sql("SHOW timezone").scalar() == "UTC"
        assert admin.exec_driver_sql("SHOW fsync").scalar() == "on"
        assert admin.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        folder = socket_directory(settings)
        for private in (folder, folder.parent, folder.parent / "data", folder.parent / "log"):
            assert private.stat().st_mode & 0o777 == 0o700


def test_an_interrupted_creation_starts_over(short_folder: Path) -> None:
    """Half a cluster of a killed initdb is thrown away, never started."""
    settings = Settings(networks={}, data_dir=short_folder)
    half = short_folder / "pg" / "data.partial"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with owned(settings) as cluster:
        assert cluster.create_if_absent("password", durable=False)
        assert not cluster.create_if_absent("password", durable=False)
        assert (cluster.data / "global" / "pg_control").exists()
        assert not half.exists()


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    """The kernel's limit is told by the key that an operator can change."""
    settings = Settings(networks={}, data_dir=tmp_path / ("x" * 100))
    with pytest.raises(
        SettingsError, match=r"^data_dir: .* is too long for the database socket"
    ):
        socket_directory(settings)


def test_a_broken_configuration_of_the_server_is_quoted(config: Path) -> None:
    """What postgres says before it gives up reaches the one line."""
    settings = load(config)
    with owned(settings) as cluster:
        server = cluster.start({"max_connections": "many"})
        with pytest.raises(
            SettingsError, match='invalid value for parameter "max_connections"'
        ):
            server.wait_until_ready()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a stand-in")
def test_root_without_user_namespaces_is_told_so(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's own refusal would not name a way out."""
    monkeypatch.setenv("PATH", str(short_folder))
    settings = Settings(networks={}, data_dir=short_folder)
    with (
        pytest.raises(SettingsError, match=r"^database\.url: PostgreSQL refuses root "),
        owned(settings),
    ):
        pass
