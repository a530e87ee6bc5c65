"""Askers who wait together share one fsync: each gets its own answer, and nothing leaves before."""

import asyncio
import contextlib
import io
import json
import resource
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keystore import api, crash, wire
from keystore.client import KeystoreClient, KeystoreRefused
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.refusal import Refused
from keystore.service import Keystore
from keystore.settings import NetworkSettings
from keystore.vault import Secrets
from tests.keystore.house import House, Running, build, ethereum_intent, serving

TEST_NETWORK = '\n[networks.ethereum]\nfamily = "ethereum"\nchain_id = 31337\ntest = true\n'
RECEIVE_SECONDS = 60
LITTLE_BYTES = 16_384
"""Room for the log, and for less than one signature in the journal's write-ahead log."""


def clock() -> datetime:
    """Return one instant."""
    return datetime(2026, 11, 21, tzinfo=UTC)


class Unlocked:
    """An unlocked keystore, the rows of its journal, its log, and what SQLite was told."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path = path
        self.log = io.StringIO()
        self.statements: list[str] = []
        self.db = journal._db
        self.db.set_trace_callback(self.statements.append)
        self.keystore = Keystore(
            settings={"ethereum": NetworkSettings("ethereum", 31337, test=True)},
            keyring=Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5)))),
            journal=journal,
            log=Log(clock, self.log),
        )

    @property
    def rows(self) -> list[tuple[str, str, str | None]]:
        """Kind, subject and code of every row that another process sees."""
        return rows(self.path)

    @property
    def events(self) -> list[str]:
        """What the log tells."""
        return [json.loads(line)["event"] for line in self.log.getvalue().splitlines()]

    def ask(self, intent: api.Intent) -> api.Signed | str:
        """Return the answer, or the code of the refusal."""
        try:
            answer = self.keystore.answer(api.SignRequest(intent=intent))
        except Refused as refusal:
            return refusal.code
        assert isinstance(answer, api.Signed)
        return answer


def rows(path: Path) -> list[tuple[str, str, str | None]]:
    """Return kind, subject and code of every row on disk."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("select kind, subject, code from entry order by seq").fetchall()


@pytest.fixture
def unlocked(tmp_path: Path) -> Iterator[Unlocked]:
    """Yield a keystore with an empty journal."""
    path = tmp_path / "journal"
    Journal.create(path, "id")
    with contextlib.closing(Journal.open(path, "id", clock)) as journal:
        yield Unlocked(path, journal)


def payment(number: int, **changes: Any) -> api.EthereumIntent:
    """Return one of many sound payments."""
    return ethereum_intent(**{"withdrawal_id": f"wdr_{number}", "nonce": number, **changes})


def test_a_group_is_on_disk_with_one_commit_and_told_after_it(unlocked: Unlocked) -> None:
    """Until the block has ended no other process sees a row, and the log does not speak of one."""
    with unlocked.keystore.together():
        answers = [unlocked.ask(payment(number)) for number in range(5)]
        assert (unlocked.rows, unlocked.events) == ([], [])

    assert [row[:2] for row in unlocked.rows] == [("signed", f"wdr_{n}") for n in range(5)]
    assert unlocked.events == ["intent_signed"] * 5
    assert [statement.lower() for statement in unlocked.statements].count("commit") == 1
    assert [unlocked.ask(payment(number)) for number in range(5)] == answers
    numbers = [answer.number for answer in answers if isinstance(answer, api.Signed)]
    assert numbers == [1, 2, 3, 4, 5]


def test_a_refusal_in_the_middle_is_remembered_and_the_others_are_signed(
    unlocked: Unlocked,
) -> None:
    """Each has its row; one asker's mistake costs nobody else anything."""
    asked = [payment(0), payment(1, units="0"), payment(2), payment(2, units="9"), payment(3)]

    with unlocked.keystore.together():
        answers = [unlocked.ask(intent) for intent in asked]

    assert [answer for answer in answers if isinstance(answer, str)] == [
        "bad_amount",
        "intent_conflict",
    ]
    assert unlocked.rows == [
        ("signed", "wdr_0", None),
        ("refused", "wdr_1", "bad_amount"),
        ("signed", "wdr_2", None),
        ("refused", "wdr_2", "intent_conflict"),
        ("signed", "wdr_3", None),
    ]
    assert unlocked.events == [
        "intent_signed",
        "intent_refused",
        "intent_signed",
        "intent_refused",
        "intent_signed",
    ]


def test_one_intent_twice_in_a_group_is_one_signature(unlocked: Unlocked) -> None:
    """The second asker is answered from a row that is not on disk yet, and waits for it."""
    with unlocked.keystore.together():
        first, second = unlocked.ask(payment(0)), unlocked.ask(payment(0))

    assert first == second
    assert unlocked.rows == [("signed", "wdr_0", None)]


def test_one_nonce_twice_in_a_group_pays_once(unlocked: Unlocked) -> None:
    """Whoever comes second is refused, as in the next group."""
    with unlocked.keystore.together():
        first, second = unlocked.ask(payment(0)), unlocked.ask(payment(1, nonce=0))

    assert isinstance(first, api.Signed)
    assert second == "slot_taken"
    assert unlocked.rows == [("signed", "wdr_0", None), ("refused", "wdr_1", "slot_taken")]


def test_repeats_take_no_lock_and_commit_nothing(unlocked: Unlocked) -> None:
    """A group of them leaves SQLite with questions only, refusals that are known too."""
    answer, refused = unlocked.ask(payment(0)), unlocked.ask(payment(1, units="0"))
    unlocked.statements.clear()

    with unlocked.keystore.together():
        assert [unlocked.ask(payment(0)) for _ in range(3)] == [answer] * 3
        assert unlocked.ask(payment(1, units="0")) == refused == "bad_amount"

    assert {statement.split()[0] for statement in unlocked.statements} == {"select"}


def surprise(unlocked: Unlocked) -> None:
    """Meet something that nobody expected."""
    raise RuntimeError(unlocked.path)


def fill_disk(unlocked: Unlocked) -> None:
    """Sign until the file may not grow any more."""
    pages = unlocked.db.execute("pragma page_count").fetchone()[0]
    unlocked.db.execute(f"pragma max_page_count = {pages + 1}")
    for number in range(100, 200):
        unlocked.ask(payment(number))


@pytest.mark.parametrize(
    ("trouble", "kind"), [(surprise, RuntimeError), (fill_disk, sqlite3.OperationalError)]
)
def test_trouble_undoes_the_whole_group(
    unlocked: Unlocked, trouble: Callable[[Unlocked], None], kind: type[Exception]
) -> None:
    """Rows, refusals and what the log would have said; the next group begins anew."""
    with pytest.raises(kind), unlocked.keystore.together():
        unlocked.ask(payment(0))
        unlocked.ask(payment(1, units="0"))
        trouble(unlocked)

    assert (unlocked.rows, unlocked.events) == ([], [])
    unlocked.db.execute("pragma max_page_count = 1000000")
    again = unlocked.ask(payment(0))
    assert isinstance(again, api.Signed)
    assert again.number == 1
    assert unlocked.rows == [("signed", "wdr_0", None)]


@pytest.fixture
def play(made: House, tmp_path: Path) -> House:
    """Return a keystore of play money alone, which may be told where to die."""
    house = build(tmp_path / "k", networks=TEST_NETWORK)
    shutil.copytree(made.home / "data", house.home / "data")
    return house


@contextlib.contextmanager
def waiting(house: House, running: Running, intents: list[api.Intent]) -> Iterator[list[Any]]:
    """Yield connections whose requests a stopped keystore finds all at once when it goes on."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in intents]
        for peer in peers:
            peer.settimeout(RECEIVE_SECONDS)
            peer.connect(str(house.socket))
            assert reply(peer, api.StatusRequest())["result"]["unlocked"]
        running.process.send_signal(signal.SIGSTOP)
        for peer, intent in zip(peers, intents, strict=True):
            peer.sendall(wire.request_line(api.SignRequest(intent=intent)))
        yield peers


def reply(peer: socket.socket, request: api.Request | None = None) -> dict[str, Any]:
    """Ask, if there is something to ask, and return the next whole line; empty at the end."""
    if request is not None:
        peer.sendall(wire.request_line(request))
    line = b""
    with contextlib.suppress(ConnectionError):
        while not line.endswith(b"\n") and (chunk := peer.recv(1)):
            line += chunk
    found: dict[str, Any] = json.loads(line or b"{}")
    return found


@pytest.mark.parametrize(
    ("place", "kept"), [("sign.allowed:3", 0), ("sign.appended:3", 0), ("sign.remembered:3", 4)]
)
def test_a_death_inside_a_group_answers_nobody_and_keeps_all_or_nothing(
    play: House, monkeypatch: pytest.MonkeyPatch, place: str, kept: int
) -> None:
    """Whatever was on disk is repeated by the next process; nobody has seen other bytes."""
    asked: list[api.Intent] = [payment(number) for number in range(4)]
    monkeypatch.setenv(crash.VARIABLE, place)
    with serving(play) as running, waiting(play, running, asked) as peers:
        running.process.send_signal(signal.SIGCONT)
        assert [reply(peer) for peer in peers] == [{}] * 4
        running.process.wait(RECEIVE_SECONDS)
    monkeypatch.delenv(crash.VARIABLE)

    assert len(rows(play.journal)) == kept
    with serving(play):
        asyncio.run(same_bytes(play, asked, kept))


async def same_bytes(house: House, asked: list[api.Intent], kept: int) -> None:
    """Ask for each payment twice: one signature, one nonce, as many rows as there are payments."""
    async with KeystoreClient(house.socket) as client:
        assert (await client.status()).signatures == kept
        for intent in asked:
            assert await client.sign(intent) == await client.sign(intent)
        with pytest.raises(KeystoreRefused, match="slot_taken"):
            await client.sign(payment(9, nonce=0))
        assert (await client.status()).signatures == len(asked)


def test_a_full_disk_is_told_to_every_asker_of_the_group(play: House) -> None:
    """None is answered with bytes, the refusal is not answered either; it goes on when there is room."""
    asked: list[api.Intent] = [payment(0), payment(1, units="0"), payment(2)]
    with serving(play) as running:
        before = resource.prlimit(running.pid, resource.RLIMIT_FSIZE)
        with waiting(play, running, asked) as peers:
            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (LITTLE_BYTES, before[1]))
            running.process.send_signal(signal.SIGCONT)
            codes = [reply(peer)["error"]["code"] for peer in peers]
            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, before)
            assert codes == ["unavailable"] * 3
            assert rows(play.journal) == []
            again = [
                reply(peer, api.SignRequest(intent=intent))
                for peer, intent in zip(peers, asked, strict=True)
            ]
        assert [answer.get("error", {}).get("code") for answer in again] == [
            None,
            "bad_amount",
            None,
        ]
        assert running.wait_for("journal_trouble")["kind"] == "OperationalError"


def test_who_hangs_up_does_not_disturb_the_group(play: House) -> None:
    """Its payment is signed and remembered like the others'."""
    asked: list[api.Intent] = [payment(number) for number in range(3)]
    with serving(play) as running, waiting(play, running, asked) as peers:
        peers[1].close()
        running.process.send_signal(signal.SIGCONT)
        assert all("result" in reply(peer) for peer in (peers[0], peers[2]))
    assert sorted(row[1] for row in rows(play.journal)) == ["wdr_0", "wdr_1", "wdr_2"]


def test_lines_of_somebody_who_left_are_not_answered(play: House) -> None:
    """A flood costs its sender a connection, and the keystore one answer."""
    with serving(play) as running:
        running.process.send_signal(signal.SIGSTOP)
        with socket.socket(socket.AF_UNIX) as flood:
            flood.connect(str(play.socket))
            flood.sendall(b"\n" * 50_000)
        running.process.send_signal(signal.SIGCONT)
        assert sum(asyncio.run(refusals(play)).values()) <= 1


def test_lines_that_nobody_can_read_wait_for_their_turn(play: House) -> None:
    """One per group: who asks beside a flood of them is answered before it ends."""
    with serving(play) as running, socket.socket(socket.AF_UNIX) as flood:
        running.process.send_signal(signal.SIGSTOP)
        flood.connect(str(play.socket))
        flood.sendall(b"\n" * 1_000)
        with socket.socket(socket.AF_UNIX) as honest:
            honest.settimeout(RECEIVE_SECONDS)
            honest.connect(str(play.socket))
            honest.sendall(wire.request_line(api.StatusRequest()))
            running.process.send_signal(signal.SIGCONT)
            assert sum(reply(honest)["result"]["refused"].values()) < 10


async def refusals(house: House) -> dict[str, int]:
    """Return what the keystore has refused so far."""
    async with KeystoreClient(house.socket) as client:
        return dict((await client.status()).refused)


def test_a_peer_that_does_not_take_its_answers_holds_up_nobody(play: House) -> None:
    """It is not read on while they wait; its lines are answered whole and in order when it reads."""
    pool = api.DerivePoolRequest(network="ethereum", first=0, count=200)
    requests: list[api.Request] = [
        request
        for number in range(8)
        for request in (pool, api.SignRequest(intent=payment(number)))
    ]
    with serving(play), socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(RECEIVE_SECONDS)
        slow.connect(str(play.socket))
        slow.sendall(b"".join(wire.request_line(request) for request in requests))
        assert asyncio.run(signed_after(play, 3 * len(requests))) < 8
        with slow.makefile("rb") as lines:
            answers = [json.loads(lines.readline())["result"] for _ in requests]

    assert [len(answer["rows"]) for answer in answers[::2]] == [200] * 8
    assert [answer["number"] for answer in answers[1::2]] == list(range(1, 9))


async def signed_after(house: House, questions: int) -> int:
    """Ask as somebody who reads; return how many payments were signed by the last answer."""
    async with KeystoreClient(house.socket) as client:
        statuses = [await client.status() for _ in range(questions)]
    return statuses[-1].signatures
