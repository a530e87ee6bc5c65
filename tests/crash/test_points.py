"""The list of places does not lie: each stands in the code, and each has runs of the campaign."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keystore.crash
from keystore.refusal import Unfit
from keystore.settings import NetworkSettings
from tests.crash.runs import campaign, chosen, points
from watchers import crash

ROOT = Path(__file__).resolve().parents[2]
TEST, REAL = NetworkSettings("tron", test=True), NetworkSettings("tron")


def _named(house: str, function: str) -> set[str]:
    """Return the names that a house passes to `crash.FUNCTION`."""
    found = set()
    for path in (ROOT / house).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func) == f"crash.{function}":
                name = node.args[-1]
                assert isinstance(name, ast.Constant), f"{path}: a place has a plain name"
                found.add(str(name.value))
    return found


def test_every_declared_place_stands_in_the_code_and_no_other_does() -> None:
    """A name that nothing reaches would be a run that proves nothing."""
    assert _named("watchers", "around_commit") == set(crash.COMMITS)
    assert _named("watchers", "reach") == set(crash.STEPS)
    assert _named("keystore", "reach") == set(keystore.crash.POINTS)


def test_every_declared_place_is_reached_by_some_run() -> None:
    """A run fails unless its process died there, so a place with a run is reached."""
    assert {run.point for run in campaign()} == points()


def test_a_tenth_of_the_runs_is_the_same_every_time() -> None:
    """The seeded part is a tenth, without repetition."""
    part = chosen(everything=False)
    assert part == chosen(everything=False)
    assert len(set(part)) == len(part) == -(-len(campaign()) // 10)


@pytest.mark.parametrize("text", ["payout.singed.before", "payout.signed", "broadcast.sent:0"])
def test_an_unknown_place_stops_the_process_with_one_line(text: str) -> None:
    """A typing error would otherwise be a run that nothing kills."""
    done = subprocess.run(
        [sys.executable, "-c", "import watchers.crash"],
        cwd=ROOT,
        env={**os.environ, crash.VARIABLE: text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"watchers: {crash.VARIABLE}: {text!r}")
    assert len(done.stderr.splitlines()) == 1


def test_without_the_variable_nothing_is_armed() -> None:
    """Production runs without it."""
    assert crash.read({}) is None


def test_a_keystore_with_real_money_refuses_the_variable() -> None:
    """Only where every network is play money may anybody ask it to die."""
    keystore.crash.arm({}, {"tron": REAL})
    armed = {keystore.crash.VARIABLE: "sign.appended"}
    with pytest.raises(Unfit, match="test = true"):
        keystore.crash.arm(armed, {"tron": TEST, "mainnet": REAL})
    with pytest.raises(Unfit, match="not a declared point"):
        keystore.crash.arm({keystore.crash.VARIABLE: "elsewhere"}, {"tron": TEST})
