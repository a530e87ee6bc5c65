"""A clock that is wrong for a while: it is noticed, nothing is signed under it, and it heals."""

import contextlib
import io
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import api, policy_file, vault
from keystore.__main__ import main
from keystore.clock import Steady
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.refusal import Refused, Unfit
from keystore.service import Keystore
from keystore.vault import Secrets
from tests.keystore.house import (
    PASSPHRASE,
    House,
    ethereum_intent,
    run,
    serving,
    tron_intent,
)
from tests.keystore.movements import NOON, REAL, Safe, tron_resource, unlocked

DAY = timedelta(days=1)
FAR = datetime(2038, 1, 1, tzinfo=UTC)
ALICE = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
POLICY = f"""
[[approvers]]
name = "alice"
subject = "usr_alice"
key = "{ALICE.public_key().public_bytes_raw().hex()}"

[[rules]]
name = "small"
class = "automatic"
networks = ["ethereum"]
assets = ["native"]
units_max = "10"
window = {{ hours = 24, units = "20" }}
fee_max = "100000000000000000"
fee_window = {{ hours = 24, units = "10000000000000000000" }}

[[rules]]
name = "large"
class = "approved"
networks = ["ethereum"]
fee_max = "100000000000000000"
approvals = 1
approvers = ["alice"]

[[rules]]
name = "else"
class = "block"
"""


class World:
    """The wall clock, which somebody sets, and the time since boot, which goes on."""

    def __init__(self) -> None:
        self.at = NOON
        self.since_boot = timedelta(0)

    def wall(self) -> datetime:
        """Return the wall clock's time."""
        return self.at

    def boot(self) -> timedelta:
        """Return the time since boot."""
        return self.since_boot

    def pass_by(self, time: timedelta) -> None:
        """Let both clocks go on."""
        self.at += time
        self.since_boot += time


@pytest.fixture
def world() -> World:
    """Return a world at noon."""
    return World()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a new journal."""
    Journal.create(tmp_path / "journal", "id")
    return tmp_path / "journal"


@contextlib.contextmanager
def started(path: Path, world: World) -> Iterator[Safe]:
    """Start a keystore on the journal, under the world's clock as it stands."""
    file = path.with_name("policy.toml")
    file.write_text(POLICY)
    file.chmod(0o600)
    clock = Steady(world.wall, world.boot)
    keyring = Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5))))
    with contextlib.closing(Journal.open(path, "id", clock)) as journal:
        keystore = Keystore(
            settings=REAL,
            keyring=keyring,
            journal=journal,
            log=Log(world.wall, io.StringIO()),
            rulebook=policy_file.load(file, frozenset(REAL)),
        )
        yield Safe(keystore, keyring, path)


def pay(safe: Safe, number: int, units: int = 10) -> str:
    """Ask for a payment of the rule `small`; return `signed` or the code."""
    intent = ethereum_intent(withdrawal_id=f"wdr_{number}", nonce=number, units=str(units))
    try:
        safe.sign(intent)
    except Refused as refused:
        return refused.code
    return "signed"


def approve(safe: Safe, number: int, at: datetime) -> str:
    """Ask for a large payment that Alice approved for an hour; return `signed` or the code."""
    intent = ethereum_intent(withdrawal_id=f"wdr_{number}", nonce=number, units="50")
    order = api.Order(
        withdrawal_id=intent.withdrawal_id,
        network="ethereum",
        asset="native",
        to=intent.to,
        units="50",
        fee_ceiling=str(10**17),
        merchant="mer_1",
        requested_by="key_1",
        expires_ms=int(at.timestamp() * 1000) + 3_600_000,
    )
    proof = ALICE.sign(api.order_message(order)).hex()
    try:
        safe.sign(
            intent, order=order, approvals=[api.KeyApproval(approver="alice", signature=proof)]
        )
    except Refused as refused:
        return refused.code
    return "signed"


def status(safe: Safe) -> api.Status:
    """Ask how it stands."""
    answer = safe.keystore.answer(api.StatusRequest())
    assert isinstance(answer, api.Status)
    return answer


def count(path: Path) -> int:
    """Count the journal's rows."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return int(db.execute("select count(*) from entry").fetchone()[0])


def accepted(path: Path, at: datetime) -> tuple[datetime, datetime]:
    """Let time count from a clock again."""
    with contextlib.closing(Journal.open(path, "id", lambda: at)) as journal:
        return journal.accept_clock()


def test_nothing_is_signed_or_written_while_the_clock_runs_ahead(
    path: Path, world: World
) -> None:
    """Payments and refusals alike; what was signed is answered; a clock set right heals it."""
    with started(path, world) as safe:
        assert pay(safe, 0) == "signed"
        world.pass_by(DAY)
        assert (pay(safe, 1), status(safe).clock) == ("signed", "right")
        rows, right = count(path), world.at

        world.at = FAR
        assert (pay(safe, 2), pay(safe, 3, units=0), approve(safe, 4, FAR)) == (
            "clock_jumped",
        ) * 3
        with pytest.raises(Refused, match="set forward"):
            safe.keystore.answer(
                api.SignNonceSetupRequest(
                    network="solana",
                    lane=0,
                    blockhash=safe.wallet("solana"),
                    lamports=1_447_680,
                )
            )
        assert (count(path), pay(safe, 1), status(safe).clock) == (rows, "signed", "jumped")

        world.at = right + timedelta(minutes=4)
        assert (approve(safe, 4, world.at), status(safe).clock) == ("signed", "right")


def test_a_journal_from_the_future_is_told_and_can_be_taken_back(
    path: Path, world: World
) -> None:
    """Approvals count again, and what was signed keeps its place in the window for its length."""
    with started(path, world) as safe:
        assert pay(safe, 0) == "signed"
    world.at = FAR
    with started(path, world) as safe:
        assert pay(safe, 1) == "signed"
    world.at = NOON + timedelta(hours=6)
    with started(path, world) as safe:
        told = status(safe)
        assert (told.clock, told.journal_at) == ("behind", "2038-01-01T00:00:00.000+00:00")
        assert approve(safe, 2, world.at) == "approval_expired"

    assert accepted(path, world.at) == (FAR, world.at)
    with started(path, world) as safe:
        assert (status(safe).clock, approve(safe, 2, world.at)) == ("right", "signed")
        assert (pay(safe, 3), pay(safe, 4)) == ("approvals_missing", "approvals_missing")
        world.pass_by(timedelta(hours=18, minutes=1))  # the first row's own day is over
        assert (pay(safe, 3), pay(safe, 4)) == ("signed", "approvals_missing")
        world.pass_by(timedelta(hours=6))  # and a day since the clock was accepted
        assert (pay(safe, 4), pay(safe, 5)) == ("signed", "approvals_missing")
    Journal.open(path, "id", world.wall).close()


def test_only_a_journal_that_is_ahead_is_taken_back(path: Path, world: World) -> None:
    """Nothing is written where there is nothing to heal, nor twice."""
    with started(path, world) as safe:
        assert pay(safe, 0) == "signed"
    with pytest.raises(Unfit, match="not ahead"):
        accepted(path, NOON + DAY)
    assert count(path) == 1
    accepted(path, NOON - DAY)
    with pytest.raises(Unfit, match="not ahead"):
        accepted(path, NOON - DAY)
    assert count(path) == 2


def test_the_command_needs_the_passphrase_and_no_keystore_at_work(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows both times; with `--accept` the next start finds nothing to say."""
    file_id, secrets = vault.decode(house.file.read_bytes(), PASSPHRASE.encode())
    secrets.wipe()
    with contextlib.closing(Journal.open(house.journal, file_id, lambda: FAR)) as journal:
        journal.record_refusal("wdr_1", "ethereum", b"intent", "bad_amount")
    with serving(house) as running:
        assert running.wait_for("clock_behind")["journal_at"].startswith("2038-01-01")
        assert "behind the journal (keystore clock): its newest row is of 2038-01-01" in (
            run(house, "status").stdout
        )
        assert main(["clock", "--accept", "--config", str(house.config)]) == 1
        assert "another keystore serves" in capsys.readouterr().err

    assert main(["clock", "--config", str(house.config)]) == 0
    assert count(house.journal) == 1
    assert main(["clock", "--accept", "--config", str(house.config)]) == 0
    assert "2038-01-01T00:00:00.000+00:00" in capsys.readouterr().out
    with contextlib.closing(Journal.open(house.journal, file_id, lambda: NOON)) as journal:
        assert journal.now().year < FAR.year


def test_a_tron_intent_of_a_time_to_come_is_refused(path: Path, world: World) -> None:
    """Its bytes could land on any day until then, and nothing would end its order before."""
    now_ms = int(NOON.timestamp() * 1000)
    (path.parent / "play").mkdir()
    with unlocked(path.parent / "play", clock=world.wall) as safe:
        for intent in (tron_intent, partial(tron_resource, safe, "stake")):
            made = now_ms + 3_600_000
            sound = intent(timestamp_ms=made, expiration_ms=made + 3_600_000)
            early = intent(timestamp_ms=made + 1, expiration_ms=made + 3_600_000)
            assert safe.refusal(early) == "timestamp_ahead"
            assert safe.sign(sound).raw
