"""One connection to the door: whole lines in, whole lines out, never waiting for the other side."""

import socket

from keystore.api import LINE_BYTES_MAX
from keystore.refusal import Refused

_RECEIVED_BYTES = 65_536


class Peer:
    """A peer's socket, and what is on its way in and out.

    `asking` stands while a request of it is being answered: the next line waits for that. `ended`
    says that nothing more will come.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        self.connection = connection
        self.asking = False
        self.ended = False
        self._incoming = bytearray()
        self._outgoing = b""

    @property
    def sending(self) -> bool:
        """Whether part of an answer still waits for the peer to take it."""
        return bool(self._outgoing)

    @property
    def unfinished(self) -> bool:
        """Whether a line has begun."""
        return bool(self._incoming)

    def receive(self) -> None:
        """Take what has arrived."""
        try:
            found = self.connection.recv(_RECEIVED_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            self._incoming.clear()
            found = b""
        self._incoming += found
        self.ended = not found

    def line(self) -> bytes | None:
        """Return the next whole line; None where it has not come.

        Raises `Refused` (`oversized`); no other line follows, for nobody could tell where it begins.
        """
        end = self._incoming.find(b"\n")
        length = len(self._incoming) if end < 0 else end
        if length > LINE_BYTES_MAX:
            self._incoming.clear()
            self.ended = True
            raise Refused("oversized", f"a line has at most {LINE_BYTES_MAX} bytes")
        if end < 0:
            return None
        line = bytes(self._incoming[: end + 1])
        del self._incoming[: end + 1]
        return line

    def send(self, more: bytes = b"") -> None:
        """Send what the peer takes now, and keep the rest."""
        self._outgoing += more
        try:
            sent = self.connection.send(self._outgoing)
        except BlockingIOError:
            return
        except ConnectionError:
            self._incoming.clear()  # nobody is there for the answers
            self.ended, sent = True, len(self._outgoing)
        self._outgoing = self._outgoing[sent:]

    def close(self) -> None:
        """Hang up."""
        self.connection.close()
