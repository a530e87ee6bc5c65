"""Who may stay: a want of descriptors or memory is nobody's journal, and the silent make room."""

import contextlib
import errno
import io
import json
import os
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keystore import api, wire
from keystore.client import KeystoreClient
from keystore.door import listening
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.peer import Peer
from keystore.server import CONNECTIONS_MAX, Server
from keystore.service import Keystore
from keystore.vault import Secrets
from tests.keystore.house import House, ethereum_intent, serving

SECONDS = 30
STATUS = api.StatusRequest()


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """Yield a connection to a keystore's socket."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        peer.settimeout(SECONDS)
        yield peer


def ask(peer: socket.socket, request: api.Request | None = STATUS) -> dict[str, Any]:
    """Ask, if there is something to ask, and return the next whole line; empty at the end."""
    line = b""
    with contextlib.suppress(ConnectionError):
        if request is not None:
            peer.sendall(wire.request_line(request))
        while not line.endswith(b"\n") and (chunk := peer.recv(1)):
            line += chunk
    found: dict[str, Any] = json.loads(line or b"{}")
    return found


def test_a_newcomer_without_a_descriptor_is_no_trouble_of_the_journal(house: House) -> None:
    """Who is in is answered; the door is shut, which is told once, and opens by itself."""
    with serving(house) as running, connected(house.socket) as first:
        ask(first)
        before = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        with connected(house.socket) as newcomer:
            assert running.wait_for("door_shut")["kind"] == "EMFILE"
            for number in range(3):
                intent = ethereum_intent(withdrawal_id=f"wdr_{number}", nonce=number)
                assert ask(first, api.SignRequest(intent=intent))["result"]["number"]
            resource.prlimit(running.pid, resource.RLIMIT_NOFILE, before)
            assert ask(newcomer)["result"]["refused"] == {"shortage": 1}
        told = [each["event"] for each in running.events if each["level"] == "warning"]
        assert told == ["door_shut"]


class Short(socket.socket):
    """A connection for which the kernel has no buffers."""

    def recv(self, *_: Any) -> bytes:
        """Fail as under memory pressure."""
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    send = recv  # type: ignore[assignment]


class ShortDoor(socket.socket):
    """A door whose first visitor gets no buffers, and all others do."""

    visitors = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Let the next one in."""
        found, address = super().accept()
        self.visitors += 1
        return (
            (Short(fileno=found.detach()), address) if self.visitors == 1 else (found, address)
        )


def test_a_peer_without_buffers_is_lost_alone(tmp_path: Path) -> None:
    """It is counted and logged; the keystore goes on with the others."""
    log, path = io.StringIO(), tmp_path / "run" / "k.sock"
    Journal.create(tmp_path / "journal", "id")
    stop, stopper = socket.socketpair()

    def serve(door: socket.socket) -> None:
        journal = Journal.open(tmp_path / "journal", "id", Log().clock)
        keyring = Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5))))
        keystore = Keystore(settings={}, keyring=keyring, journal=journal, log=Log(stream=log))
        own = frozenset({os.geteuid()})
        Server(keystore, allowed_uids=own, log=Log(stream=log)).run(door, stop)
        journal.close()

    with (
        stop,
        stopper,
        listening(path) as plain,
        ShortDoor(fileno=os.dup(plain.fileno())) as door,
    ):
        door.settimeout(0)
        thread = threading.Thread(target=serve, args=(door,))
        thread.start()
        with connected(path) as lost:
            assert ask(lost) == {}
        with connected(path) as other:
            assert ask(other)["result"]["refused"] == {"shortage": 1}
        stopper.send(b"\0")
        thread.join(SECONDS)
    assert '"event":"peer_lost","kind":"ENOBUFS"' in log.getvalue()


@pytest.mark.parametrize("said", [b"", b"late"])
def test_a_peer_without_buffers_keeps_nothing(said: bytes) -> None:
    """Neither what it said nor what it was told; any other trouble is a bug."""
    ours, theirs = socket.socketpair()
    with Short(fileno=ours.detach()) as short:
        peer = Peer(short)
        if said:
            peer.send(said)
        else:
            peer.receive()
        assert (peer.ended, peer.sending, peer.unfinished) == (True, False, False)
    with theirs:
        gone = Peer(theirs)
    with pytest.raises(OSError, match="Bad file descriptor"):
        gone.receive()


def test_who_was_silent_longest_leaves_for_a_newcomer(house: House) -> None:
    """All places taken is no reason to refuse: one who asked lately stays."""
    with serving(house) as running, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(connected(house.socket)) for _ in range(CONNECTIONS_MAX)]
        for peer in peers:
            ask(peer)
        ask(peers[0])
        newcomer = stack.enter_context(connected(house.socket))

        assert ask(newcomer)["result"]["unlocked"]
        assert ask(peers[0])["result"]["unlocked"]
        assert ask(peers[1], None) == {}
        assert ask(peers[2])["result"]["unlocked"]
        assert running.wait_for("peer_put_out")["connections"] == CONNECTIONS_MAX


@pytest.mark.anyio
async def test_a_crowd_of_the_same_user_starves_nobody(house: House) -> None:
    """They say nothing, begin a line, or take no answer; who comes again and again is signed for."""
    unread = wire.request_line(api.DerivePoolRequest(network="tron", first=0, count=200)) * 8
    with serving(house), contextlib.ExitStack() as stack:
        async with KeystoreClient(house.socket) as client:
            for number in range(2 * CONNECTIONS_MAX):
                stranger = stack.enter_context(connected(house.socket))
                stranger.sendall(
                    (b"", b'{"v"', unread if number % 16 == 2 else b"")[number % 3]
                )
                if number % 8 == 0:
                    intent = ethereum_intent(withdrawal_id=f"wdr_{number}", nonce=number)
                    assert (await client.sign(intent)).number == number // 8 + 1
                    await client.aclose()
