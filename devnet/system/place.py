"""Where one system lives: its folder, its short runtime folder, its ports."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devnet.chain import HOST, ChainFault, free_port

SOCKET_PATH_BYTES_MAX = 107
LONGEST_SOCKET = "gateway/pg/run/.s.PGSQL.5432"


class Occupied(Exception):
    """Another system runs in this folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """`home` holds configuration, logs and results; `state` data and sockets (mode 0700)."""

    home: Path
    state: Path
    api_port: int
    receiver_port: int

    @property
    def api_url(self) -> str:
        """Return the root of the API."""
        return f"http://{HOST}:{self.api_port}"

    @property
    def receiver_url(self) -> str:
        """Return where webhooks go."""
        return f"http://{HOST}:{self.receiver_port}/webhooks"

    @property
    def config(self) -> Path:
        """Return the gateway's and the watchers' configuration file."""
        return self.home / "config.toml"

    @property
    def keystore_config(self) -> Path:
        """Return the keystore's configuration file."""
        return self.home / "keystore.toml"

    @property
    def logs(self) -> Path:
        """Return the folder with one log per process."""
        return self.home / "logs"

    @property
    def kept_webhooks(self) -> Path:
        """Return the file in which the receiver keeps what it verified."""
        return self.home / "webhooks.jsonl"

    @property
    def webhook_secret(self) -> Path:
        """Return the file through which the receiver learns its secret."""
        return self.state / "webhook_secret"


@contextmanager
def emptied(home: Path, *, api_port: int | None = None) -> Iterator[Place]:
    """Empty `home` and hold it; a second system in the same folder is `Occupied`.

    Where `home` is too deep for the path of a Unix socket, data and sockets live in a
    temporary folder that goes away with the block.
    """
    home = home.resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise Occupied(f"another system runs in {home}") from fault
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        with _state_folder(home) as state:
            yield Place(home, state, _wanted_port(api_port), free_port())


@contextmanager
def _state_folder(home: Path) -> Iterator[Path]:
    state = home / "state"
    if len(bytes(state / LONGEST_SOCKET)) <= SOCKET_PATH_BYTES_MAX:
        state.mkdir(mode=0o700)
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="gw-") as short:
        yield Path(short)


def _wanted_port(wanted: int | None) -> int:
    """Return the wanted port if it is free, else any."""
    try:
        return free_port(wanted or 0)
    except ChainFault:
        return free_port()
