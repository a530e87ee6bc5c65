"""The systemd units: valid, and as closed as they say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.settings import WebhookSettings
from gateway.worker import GRACE_SECONDS

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
EXPOSURE_MAX = {
    "keystore.service": 1.0,
    "gateway-database.service": 1.0,
    "gateway-api.service": 1.5,
    "gateway-worker.service": 1.5,
    "watcher@.service": 1.5,
}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def text_of(name: str) -> str:
    """Return a unit as it is shipped."""
    return (UNITS / name).read_text()


def test_every_service_is_listed_here() -> None:
    """A new unit must be given a bound."""
    assert {path.name for path in UNITS.glob("*.service")} == set(EXPOSURE_MAX)


@pytest.mark.parametrize("name", EXPOSURE_MAX)
def test_whatever_ended_a_process_it_is_started_again(name: str) -> None:
    """`on-failure` leaves one down that a stray SIGHUP or SIGTERM ended: systemd calls that clean."""
    unit = text_of(name)
    assert re.findall(r"^Restart=(.*)$", unit, re.MULTILINE) == ["always"]
    assert "\nStartLimitIntervalSec=0\n" in unit


def test_the_worker_may_take_as_long_as_it_does() -> None:
    """Its requests, what comes of them, its rounds, and statements of a database that hangs."""
    [seconds] = re.findall(
        r"^TimeoutStopSec=(\d+)$", text_of("gateway-worker.service"), re.MULTILINE
    )
    given_up = 10  # psycopg's: five to ask the server for it, five for its answer
    assert int(seconds) > WebhookSettings().timeout_seconds + 2 * GRACE_SECONDS + given_up


@needs_systemd
@pytest.mark.parametrize("name", EXPOSURE_MAX)
def test_exposure_is_bounded(name: str) -> None:
    """By systemd's own score."""
    scored = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", str(UNITS / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", scored.stdout)
    assert found is not None, scored.stderr
    tenths, _, rest = found[1].partition(".")
    assert int(tenths) * 10 + int(rest or 0) <= EXPOSURE_MAX[name] * 10


@needs_systemd
def test_the_units_are_valid(tmp_path: Path) -> None:
    """Every key and every dependency, with programs that exist on this machine."""
    for path in (*UNITS.glob("*.service"), *UNITS.glob("*.target")):
        program = re.sub(
            r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.MULTILINE
        )
        (tmp_path / path.name).write_text(program)
    names = [name.replace("@.", "@tron.") for name in EXPOSURE_MAX]
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names, "gateway.target"],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_keystore_has_no_way_out() -> None:
    """Neither network nor database, and a user of its own."""
    unit = text_of("keystore.service")
    assert "PrivateNetwork=yes" in unit
    assert re.findall(r"^RestrictAddressFamilies=(.*)$", unit, re.MULTILINE) == ["AF_UNIX"]
    assert "User=keystore\n" in unit
    assert "gateway.toml" not in re.sub(r"^InaccessiblePaths=.*$", "", unit, flags=re.MULTILINE)
    assert "postgresql" not in unit


@pytest.mark.parametrize("name", ["api", "worker", "watcher"])
def test_each_process_sees_only_its_own_password(name: str) -> None:
    """Of the four roles and the administrator."""
    unit = text_of("watcher@.service" if name == "watcher" else f"gateway-{name}.service")
    hidden = set(re.findall(r"^InaccessiblePaths=-/var/lib/gateway/(\S+)$", unit, re.MULTILINE))
    passwords = {"admin", "owner", "api", "worker", "watcher"}
    assert {f"secrets/{role}_password" for role in passwords - {name}} <= hidden
    assert f"secrets/{name}_password" not in hidden
    assert "pg/data" in hidden
