"""Whatever comes in: one reply with a code, one count more, and nothing else has changed."""

import json
import random
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keystore import api, wire
from keystore.refusal import Refused
from tests.campaign import Figures
from tests.keystore.house import House, Running, ethereum_intent, tron_intent
from tests.keystore.lines import altered, lines
from tests.keystore.movements import Safe, unlocked

READ, READ_LONG = 20_000, 1_000_000
SENT, SENT_LONG = 1_000, 10_000
RSS_MIB_MAX = 100
RECEIVE_SECONDS = 30
CAROL = ec.derive_private_key(1234567, ec.SECP256R1()).public_key()
PEOPLE = f"""
[[approvers]]
name = "carol"
subject = "usr_carol"
passkey = "{CAROL.public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex()}"
relying_party = "pay.example.com"
origin = "https://pay.example.com"

[[rules]]
name = "one person"
class = "approved"
networks = ["ethereum"]
fee_max = "10000000000000000"
approvals = 1
approvers = ["carol"]

[[rules]]
name = "end"
class = "block"
"""


def outcome(line: bytes) -> str:
    """Return the code of a refusal, or `read`; any other exception is the test's failure."""
    try:
        request = wire.read_request(line)
    except Refused as refused:
        return refused.code
    assert wire.read_request(wire.request_line(request)) == request
    return "read"


@pytest.mark.campaign
def test_no_line_surprises_the_reader(long: bool, figures: Figures) -> None:
    """Every line is a request or a refusal with one of two codes, and all three occur."""
    count = READ_LONG if long else READ

    found = Counter(outcome(line) for line in lines(seed=1, count=count))

    figures(f"parser: {count} lines, {dict(found)}")
    assert set(found) == {"malformed", "unknown_method", "read"}
    assert found["malformed"] > count // 2
    assert sum(found.values()) == count


def answered(safe: Safe, line: bytes) -> str:
    """Return the code of a refusal, or `answered`; any other exception is the test's failure."""
    try:
        result = safe.keystore.answer(wire.read_request(line))
    except Refused as refused:
        return refused.code
    assert len(wire.result_line(result)) <= api.LINE_BYTES_MAX
    return "answered"


@pytest.mark.parametrize("policy", [None, PEOPLE], ids=["play money", "policy"])
def test_no_field_surprises_the_keystore(tmp_path: Path, policy: str | None) -> None:
    """Every field of every request with every odd value: an answer or a refusal, nothing else."""
    with unlocked(tmp_path, policy) as safe:
        found = Counter(answered(safe, line) for line in altered())

    assert {"answered", "malformed", "bad_field", "bad_range", "unknown_network"} <= set(found)
    assert (found["bad_approval"] > 0) == (policy is not None)


class Peer:
    """A connection that is opened again when the keystore hung up."""

    def __init__(self, house: House) -> None:
        self._path = str(house.socket)
        self._connection: socket.socket | None = None

    def ask(self, line: bytes) -> dict[str, Any]:
        """Send one line and return its reply."""
        return self.exchange(line + b"\n", closes=False)

    def exchange(self, payload: bytes, *, closes: bool) -> dict[str, Any]:
        """Send bytes and return the reply; with `closes` the keystore hangs up after it."""
        peer = self._connected()
        with suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(payload)
        reply = b""
        while not reply.endswith(b"\n"):
            chunk = peer.recv(65_536)
            assert chunk, "the keystore hung up without a word"
            reply += chunk
        if closes:
            self.close()
        found: dict[str, Any] = json.loads(reply)
        return found

    def leave_unfinished(self, payload: bytes) -> None:
        """Send a line without its end, and wait until the keystore has noticed."""
        peer = self._connected()
        peer.sendall(payload)
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> socket.socket:
        if self._connection is None:
            self._connection = socket.socket(socket.AF_UNIX)
            self._connection.settimeout(RECEIVE_SECONDS)
            self._connection.connect(self._path)
        return self._connection


@contextmanager
def peer_of(house: House) -> Iterator[Peer]:
    """Yield a connection for the length of a block."""
    peer = Peer(house)
    try:
        yield peer
    finally:
        peer.close()


def journal(house: House) -> tuple[list[Any], list[Any]]:
    """Return every row of the journal and of what was issued."""
    with closing(sqlite3.connect(f"file:{house.journal}?mode=ro", uri=True)) as db:
        entries = db.execute("select * from entry order by seq").fetchall()
        return entries, db.execute("select * from issued order by network").fetchall()


def refused_counts(peer: Peer) -> Counter[str]:
    """Ask the keystore how often it has refused what."""
    reply = peer.ask(wire.request_line(api.StatusRequest())[:-1])
    return Counter(reply["result"]["refused"])


@pytest.mark.campaign
def test_bad_lines_over_the_socket_are_counted_and_change_nothing(
    house: House, running: Running, long: bool, figures: Figures
) -> None:
    """Malformed, unknown, oversized and unfinished: a code each; journal and process as before."""
    count = SENT_LONG if long else SENT
    bad = (line for line in lines(seed=2, count=8 * count) if outcome(line) != "read")
    random_, expected, before = random.Random(3), Counter[str](), journal(house)
    with peer_of(house) as peer:
        for _, line in zip(range(count), bad, strict=False):
            kind = random_.randrange(200)
            if kind == 0:
                length = random_.choice((api.LINE_BYTES_MAX + 1, 300_000))
                reply = peer.exchange(b"x" * length, closes=True)
                code = "oversized"
            elif kind == 1:
                peer.leave_unfinished(line[: api.LINE_BYTES_MAX - 1] or b"{")
                expected["malformed"] += 1
                continue
            elif len(line) > api.LINE_BYTES_MAX:
                reply, code = peer.exchange(line, closes=True), "oversized"
            else:
                reply, code = peer.ask(line), outcome(line + b"\n")
            assert reply["error"]["code"] == code, line[:200]
            expected[code] += 1
        assert refused_counts(peer) == expected
    figures(f"socket: {count} lines, {dict(expected)}")
    assert sum(expected.values()) == count
    assert set(expected) == {"malformed", "unknown_method", "oversized"}
    assert journal(house) == before
    assert running.process.poll() is None
    assert psutil.Process(running.pid).memory_info().rss <= RSS_MIB_MAX * 2**20
    refusals = [event for event in running.events if event["event"] == "request_refused"]
    assert len(refusals) == count


def test_well_formed_intents_that_are_refused_are_journaled_once_each(
    house: House, running: Running
) -> None:
    """With their code; insisting is counted, and adds no row."""
    asked: list[tuple[api.Intent, str]] = [
        (ethereum_intent(withdrawal_id="wdr_a", units="0"), "bad_amount"),
        (
            ethereum_intent(withdrawal_id="wdr_b", network="mainnet", chain_id=1),
            "not_test_network",
        ),
        (ethereum_intent(withdrawal_id="wdr_c", to="0x" + "ab" * 19), "bad_destination"),
        (tron_intent(withdrawal_id="wdr_d", fee_limit=1), "bad_field"),
        (ethereum_intent(withdrawal_id="wdr_f", network="nowhere"), "unknown_network"),
        (ethereum_intent(withdrawal_id="wdr_g", network="tron"), "wrong_family"),
        (tron_intent(withdrawal_id="wdr_e", asset="USDT", fee_limit=1), "bad_asset"),
    ]
    with peer_of(house) as peer:
        for _ in range(2):
            for intent, code in asked:
                line = wire.request_line(api.SignRequest(intent=intent))[:-1]
                assert peer.ask(line)["error"]["code"] == code
        counts = refused_counts(peer)
    assert counts == Counter(code for _, code in asked) + Counter(code for _, code in asked)
    with closing(sqlite3.connect(house.journal)) as db:
        rows = db.execute("select kind, subject, code from entry order by seq").fetchall()
    assert rows == [("refused", intent.withdrawal_id, code) for intent, code in asked]
    assert running.process.poll() is None
