"""The place of the socket: a private directory, one keystore at a time, no stale leftovers."""

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keystore.refusal import Unfit

_UCRED = struct.Struct("3i")
"""`struct ucred`: pid, uid, gid."""
PRIVATE_DIRECTORY = 0o700
PRIVATE_SOCKET = 0o600
BACKLOG = 64
VISITORS_MAX = 16
"""Who comes in between two groups: a crowd at the door does not hold up those inside."""


def peer_uid(connection: socket.socket) -> int:
    """Return the user of the process at the other end, as the kernel knows it."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(packed)[1])


def visitors(door: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections of who knocks, not more than may come in at once."""
    try:
        for _ in range(VISITORS_MAX):
            yield door.accept()[0]
    except (BlockingIOError, ConnectionError):
        return  # it went away before we came to the door


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the one keystore of this socket; raise `Unfit` where another is."""
    _require_private(path.parent)
    with path.with_name(path.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise Unfit(f"socket: another keystore serves {path}") from fault
        yield


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Yield a listening socket at `path`; remove it at the end.

    A lock beside it is held as long as the process lives, so a socket without a lock holder is
    what a dead keystore left behind. Raises `Unfit` where a live one serves or the directory
    is open to others.
    """
    with alone(path):
        _remove_stale(path)
        with _bound(path) as door:
            try:
                yield door
            finally:
                path.unlink(missing_ok=True)


def _require_private(directory: Path) -> None:
    directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise Unfit(f"socket: directory {directory} must be ours alone (chmod 700)")


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise Unfit(f"socket: {path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise Unfit(f"socket: something else serves {path}")


def _bound(path: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.bind(os.fspath(path))
        path.chmod(PRIVATE_SOCKET)
        door.listen(BACKLOG)
        door.settimeout(0)
    except BaseException:
        door.close()
        raise
    return door
