"""The door: peers by uid, one request per line, refusals counted, no secrets in the log.

One thread does everything in turn: keys and journal have a single user. Requests that arrive while
others are answered join their group: one fsync serves them all, and the answers leave after it.
"""

import selectors
import socket
import sqlite3
from collections import Counter, deque
from functools import partial

import msgspec

from keystore import api, wire
from keystore.door import peer_uid, visitors
from keystore.logs import Log, place_of
from keystore.peer import Peer, is_shortage, name_of
from keystore.refusal import Refused
from keystore.service import Keystore, Result

CONNECTIONS_MAX = 64
GROUP_MAX = 32
"""Requests that one fsync serves at most: the first of them waits for the last."""
TROUBLE_CODE = "unavailable"
"""The code of a reply that is worth asking again for: the disk, not the request."""
SHORTAGE_CODE = "shortage"
"""What connections are counted under for which the kernel had no descriptor or no memory."""
REST_SECONDS = 1
"""How long the door stays shut where the kernel cannot let anybody in and nobody asks."""


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
        self._peers: dict[Peer, None] = {}
        """Who is connected; whoever spoke last stands last."""
        self._waiting: deque[tuple[Peer, api.Request | Refused]] = deque()
        self._knocked = self._shut = self._stopping = False
        self.requests = 0
        self.refusals: Counter[str] = Counter()

    def run(self, door: socket.socket, stop: socket.socket) -> None:
        """Answer until `stop` can be read; a group that has begun is finished and answered."""
        self._selector.register(door, selectors.EVENT_READ, self._knock)
        self._selector.register(stop, selectors.EVENT_READ, self._stop)
        self._log.info("ready", socket=str(door.getsockname()))
        try:
            while not self._stopping:
                self._listen(self._patience)
                if self._waiting:
                    with self._log.later():
                        self._answer_group()
                if self._knocked or self._shut:
                    self._welcome(door)
        except BaseException as bug:  # noqa: BLE001 it ends the process, as a library's panic does
            self._log.warning("bug", kind=type(bug).__name__, place=place_of(bug))
            raise Crashed(type(bug).__name__) from None
        finally:
            for peer in self._peers:
                peer.close()
            self._selector.close()
            refused = sum(self.refusals.values())
            self._log.info("stopped", requests=self.requests, refused=refused)

    def _stop(self) -> None:
        self._stopping = True

    def _knock(self) -> None:
        self._knocked = True

    @property
    def _patience(self) -> float | None:
        """Seconds to wait for somebody to speak; None: for ever."""
        if self._waiting:
            return 0
        return REST_SECONDS if self._shut else None

    def _listen(self, timeout: float | None) -> None:
        """Take what has come on any socket, waiting for it so many seconds; None: for ever."""
        for ready, _ in self._selector.select(timeout):
            ready.data()

    def _welcome(self, door: socket.socket) -> None:
        """Let in who knocks. Where the kernel has no room the door is shut until another turn."""
        self._knocked, was_shut, self._shut = False, self._shut, False
        try:
            for connection in visitors(door):
                self._admit(Peer(connection))
        except OSError as shortage:
            self._shut = True
            if not was_shut or not is_shortage(shortage):
                self._count(shortage, "door_shut")
                self._selector.unregister(door)
        else:
            if was_shut:
                self._selector.register(door, selectors.EVENT_READ, self._knock)

    def _admit(self, peer: Peer) -> None:
        """Give a peer its place; refuse one of another user, and one for whom nobody can leave."""
        uid = peer_uid(peer.connection)
        if uid not in self._allowed:
            peer.send(self._refuse(Refused("forbidden_peer", f"peer uid {uid} is not allowed")))
            peer.close()
        elif len(self._peers) == CONNECTIONS_MAX and not self._put_out():
            peer.send(self._refuse(Refused("busy", "too many connections")))
            peer.close()
        else:
            self._seat(peer)

    def _seat(self, peer: Peer) -> None:
        attend = partial(self._attend, peer)
        try:
            self._selector.register(peer.connection, selectors.EVENT_READ, attend)
        except OSError as shortage:
            self._count(shortage, "peer_lost")
            peer.close()
        else:
            self._peers[peer] = None

    def _count(self, shortage: OSError, event: str) -> None:
        if not is_shortage(shortage):
            raise shortage
        self.refusals[SHORTAGE_CODE] += 1
        self._log.warning(event, kind=name_of(shortage))

    def _put_out(self) -> bool:
        """Hang up on whoever has not asked for longest; tell whether there was anybody.

        It may connect again and ask again; who is being answered stays.
        """
        silent = next((peer for peer in self._peers if not peer.asking), None)
        if silent is None:
            return False
        self._log.warning("peer_put_out", connections=len(self._peers))
        self._part(silent)
        return True

    def _attend(self, peer: Peer) -> None:
        """Go on with a peer whose socket is ready: send the rest of an answer, or read."""
        if peer.sending:
            self._send(peer, b"")
        elif not peer.asking:
            peer.receive()
        self._read(peer)

    def _read(self, peer: Peer) -> None:
        """Queue a peer's next line once its last answer has left; part with who says no more."""
        if peer.asking or peer.sending:
            return
        request = self._next_request(peer)
        if request is not None:
            peer.asking = True
            self._waiting.append((peer, request))
            del self._peers[peer]
            self._peers[peer] = None
        elif peer.ended:
            self._part(peer)

    def _next_request(self, peer: Peer) -> api.Request | Refused | None:
        """Return what a peer asks next; None where no whole line has come."""
        try:
            line = peer.line()
            if line is None:
                return None
            self.requests += 1
            return wire.read_request(line)
        except Refused as refusal:
            return refusal  # waits for its turn too: a flood of them holds up nobody

    def _part(self, peer: Peer) -> None:
        if peer.unfinished:
            self._refuse(Refused("malformed", "the line did not end"))
        if peer.shortage is not None:
            self._count(peer.shortage, "peer_lost")
        self._selector.unregister(peer.connection)
        del self._peers[peer]
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
        except sqlite3.OperationalError as trouble:
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


class Crashed(Exception):
    """The keystore met something it does not understand; its name only, no message."""
