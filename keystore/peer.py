"""One connection to the door: whole lines in, whole lines out, never waiting for the other side."""

import errno
import socket

from keystore.api import LINE_BYTES_MAX
from keystore.refusal import Refused

_RECEIVED_BYTES = 65_536
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC})
"""No descriptor, no memory, no watch (epoll): the machine's trouble, and neither ours nor the disk's."""


def is_shortage(trouble: OSError) -> bool:
    """Tell whether the kernel had no room for a connection."""
    return trouble.errno in _SHORTAGES


def name_of(trouble: OSError) -> str:
    """Return the symbol of an error, `EMFILE` and the like."""
    return errno.errorcode.get(trouble.errno or 0, type(trouble).__name__)


class Peer:
    """A peer's socket, and what is on its way in and out.

    `asking` stands while a request of it is being answered: the next line waits for that. `ended`
    says that nothing more will come. `shortage` is what the kernel had no room for.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        self.connection = connection
        self.asking = False
        self.ended = False
        self.shortage: OSError | None = None
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
        except OSError as loss:
            self._lose(loss)
            return
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
        except OSError as loss:
            self._lose(loss)
            return
        self._outgoing = self._outgoing[sent:]

    def _lose(self, loss: OSError) -> None:
        """Give the connection up: the peer went away, or the kernel has no memory for it.

        Nobody is there for answers; what was signed is remembered and may be asked for again.
        """
        if is_shortage(loss):
            self.shortage = loss
        elif not isinstance(loss, ConnectionError):
            raise loss
        self._incoming.clear()
        self._outgoing = b""
        self.ended = True

    def close(self) -> None:
        """Hang up."""
        self.connection.close()
