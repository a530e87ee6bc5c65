"""The door: peers by uid, one request per line, refusals counted, no secrets in the log.

One thread does everything in turn: keys and journal have a single user. Requests that arrive while
others are answered join their group: one fsync serves them all, and the answers leave after it.
"""

import selectors
import socket
import sqlite3
import traceback
from collections import Counter, deque
from functools import partial

import msgspec

from keystore import api, wire
from keystore.door import peer_uid
from keystore.logs import Log
from keystore.peer import Peer
from keystore.refusal import Refused
from keystore.service import Keystore, Result

CONNECTIONS_MAX = 64
GROUP_MAX = 32
"""Requests that one fsync serves at most: the first of them waits for the last."""
TROUBLE_CODE = "unavailable"
"""The code of a reply that is worth asking again for: the disk, not the request."""


class Server:
    """Serves a keystore on a listening Unix socket until it is told to stop.

    An exception that is neither a refusal nor the disk's ends `run`: a keystore that surprises
    itself does not go on signing.
    """

    def __init__(self, keystore: Keystore, *, allowed_uids: frozenset[int], log: Log) -> None:
        self._keystore = keystore
        self._allowed = allowed_uids
        self._log = log
        self._selector = selectors.DefaultSelector()
        self._peers: set[Peer] = set()
        self._waiting: deque[tuple[Peer, api.Request | Refused]] = deque()
        self._stopping = False
        self.requests = 0
        self.refusals: Counter[str] = Counter()

    def run(self, door: socket.socket, stop: socket.socket) -> None:
        """Answer until `stop` can be read; a group that has begun is finished and answered."""
        self._selector.register(door, selectors.EVENT_READ, partial(self._welcome, door))
        self._selector.register(stop, selectors.EVENT_READ, self._stop)
        self._log.info("ready", socket=str(door.getsockname()))
        try:
            while not self._stopping:
                self._listen(0 if self._waiting else None)
                if self._waiting:
                    self._answer_group()
        except BaseException as bug:  # noqa: BLE001 it ends the process, as a library's panic does
            self._report(bug)
            raise Crashed(type(bug).__name__) from None
        finally:
            for peer in self._peers:
                peer.close()
            self._selector.close()
            refused = sum(self.refusals.values())
            self._log.info("stopped", requests=self.requests, refused=refused)

    def _stop(self) -> None:
        self._stopping = True

    def _listen(self, timeout: float | None) -> None:
        """Take what has come on any socket, waiting for it so many seconds; None: for ever."""
        for ready, _ in self._selector.select(timeout):
            ready.data()

    def _welcome(self, door: socket.socket) -> None:
        """Let a peer in; refuse one of another user, and one too many."""
        try:
            peer = Peer(door.accept()[0])
        except (BlockingIOError, ConnectionError):
            return  # it went away before we came to the door
        uid = peer_uid(peer.connection)
        if uid not in self._allowed:
            peer.send(self._refuse(Refused("forbidden_peer", f"peer uid {uid} is not allowed")))
            peer.close()
        elif len(self._peers) == CONNECTIONS_MAX:
            peer.send(self._refuse(Refused("busy", "too many connections")))
            peer.close()
        else:
            self._peers.add(peer)
            self._selector.register(
                peer.connection, selectors.EVENT_READ, partial(self._attend, peer)
            )

    def _attend(self, peer: Peer) -> None:
        """Go on with a peer whose socket is ready: send the rest of an answer, or read."""
        if peer.sending:
            self._send(peer, b"")
        elif not peer.asking:
            peer.receive()
        self._read(peer)

    def _read(self, peer: Peer) -> None:
        """Queue a peer's next request; its lines are answered one after another."""
        while not (peer.asking or peer.sending):
            try:
                line = peer.line()
                if line is None:
                    break
                self.requests += 1
                request: api.Request | Refused = wire.read_request(line)
            except Refused as refusal:
                request = refusal  # waits for its turn too: a flood of them holds up nobody
            peer.asking = True
            self._waiting.append((peer, request))
        if peer.ended and not (peer.asking or peer.sending):
            self._part(peer)

    def _part(self, peer: Peer) -> None:
        if peer.unfinished:
            self._refuse(Refused("malformed", "the line did not end"))
        self._selector.unregister(peer.connection)
        self._peers.remove(peer)
        peer.close()

    def _answer_group(self) -> None:
        """Answer those who wait and those who come meanwhile; nothing leaves before the fsync."""
        asked: list[Peer] = []
        found: list[Result | Refused] = []
        try:
            with self._keystore.together():
                while self._waiting and len(asked) < GROUP_MAX:
                    peer, request = self._waiting.popleft()
                    asked.append(peer)
                    found.append(self._answer(request))
                    if not self._waiting:
                        self._listen(0)
        except (sqlite3.OperationalError, OSError) as trouble:
            self._log.warning("journal_trouble", kind=type(trouble).__name__)
            refusal = Refused(TROUBLE_CODE, "the journal could not be written")
            found = [refusal for _ in asked]
        for peer, result in zip(asked, found, strict=True):
            peer.asking = False
            self._send(peer, self._reply(result))
            self._read(peer)

    def _answer(self, request: api.Request | Refused) -> Result | Refused:
        if isinstance(request, Refused):
            return request
        try:
            return self._keystore.answer(request)
        except Refused as refusal:
            return refusal

    def _reply(self, result: Result | Refused) -> bytes:
        if isinstance(result, Refused):
            return self._refuse(result)
        if isinstance(result, api.Status):
            result = msgspec.structs.replace(result, refused=dict(self.refusals))
        return wire.result_line(result)

    def _send(self, peer: Peer, reply: bytes) -> None:
        """Send what the peer takes; while it does not take the rest, it is not read."""
        was_sending = peer.sending
        peer.send(reply)
        if peer.sending != was_sending:
            ready = selectors.EVENT_WRITE if peer.sending else selectors.EVENT_READ
            self._selector.modify(peer.connection, ready, partial(self._attend, peer))

    def _refuse(self, refusal: Refused) -> bytes:
        self.refusals[refusal.code] += 1
        self._log.warning(
            "request_refused", code=refusal.code, count=self.refusals[refusal.code]
        )
        return wire.refusal_line(refusal.code, refusal.message)

    def _report(self, bug: BaseException) -> None:
        """Log where it happened, never what it said: messages may quote values."""
        frames = traceback.extract_tb(bug.__traceback__)
        place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
        self._log.warning("bug", kind=type(bug).__name__, place=place)


class Crashed(Exception):
    """The keystore met something it does not understand; its name only, no message."""
