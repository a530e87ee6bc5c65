"""The embedded PostgreSQL 18: one directory, one owner, no door without a password.

    data_dir/pg/lock   held (flock) by the one process that owns the cluster
    data_dir/pg/data   the cluster; appears in one rename, so it is whole or absent
    data_dir/pg/run    the socket, mode 0700; there is no TCP port
    data_dir/pg/log    one server log per weekday, and start.log for what precedes it

A server whose owner was killed stops by itself (parent-death signal). Should one still be
there, or be on its way out, the next owner stops it cleanly first: it is never adopted, since
nobody would be waiting for its end.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.postgres import Unusable
from gateway.postgres.process import (
    environment,
    guarded,
    program,
    refuse_unfit_user,
    servers_in,
)
from gateway.postgres.url import SOCKET_NAME, socket_directory
from gateway.settings import Settings

POLL_SECONDS = 0.02
ORPHAN_SECONDS_MAX = 30.0

# Written into postgresql.conf once, where an operator may tune them.
_FIRST_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
    "synchronous_commit": "on",
    "log_filename": "postgres-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_size": "0",
}


@dataclass(slots=True)
class Server:
    """A running (or starting) PostgreSQL, child of this process."""

    process: subprocess.Popen[bytes]
    data: Path
    logs: Path
    stopping: bool = False

    def wait_until_ready(self) -> bool:
        """Wait out crash recovery too; False if we were asked to stop meanwhile."""
        while self.process.poll() is None:
            if _is_ready(self.data / "postmaster.pid", self.process.pid):
                return True
            time.sleep(POLL_SECONDS)
        if self.stopping:
            return False
        raise self._ended()

    def ask_to_stop(self) -> None:
        """Begin a fast shutdown: sessions end, everything committed is kept. Signal-safe."""
        self.stopping = True
        self.process.send_signal(signal.SIGINT)

    def wait(self) -> None:
        """Wait for the end; an end that nobody asked for is refused with its last words."""
        self.process.wait()
        if not self.stopping:
            raise self._ended()
        while servers_in(self.data):  # the log collector leaves a moment after the server
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop and wait."""
        self.ask_to_stop()
        self.wait()

    def _ended(self) -> Unusable:
        words = [
            line
            for line in (self.logs / "start.log").read_text(errors="replace").splitlines()
            if "FATAL" in line or "PANIC" in line
        ]
        reason = words[-1].partition("FATAL:")[2].strip() if words else ""
        return Unusable(
            f"database: postgres ended with status {self.process.returncode}"
            f"{': ' + reason if reason else ''} (log: {self.logs})"
        )


@dataclass(frozen=True, slots=True)
class Cluster:
    """The directory, in the hands of its owner (see `owned`)."""

    folder: Path
    run: Path

    @property
    def data(self) -> Path:
        """The PostgreSQL data directory."""
        return self.folder / "data"

    def create_if_absent(self, admin_password: str, *, durable: bool = True) -> bool:
        """Make an empty cluster with one password-protected superuser; False if there is one.

        `durable=False` skips the sync to disk (a cluster that lives as long as a test run).
        """
        if self.data.exists():
            return False
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        result = subprocess.run(
            _initdb(partial, durable=durable),
            input=admin_password.encode() + b"\n",
            capture_output=True,
            env=environment(),
            check=False,
        )
        if result.returncode != 0:
            reason = result.stderr.decode(errors="replace").strip().splitlines() or ["?"]
            raise Unusable(f"data_dir: initdb failed in {partial}: {reason[-1]}")
        partial.rename(self.data)
        _sync_folder(self.folder)
        return True

    def stop_orphans(self) -> int:
        """Stop what a killed owner left behind; answer how many processes there were."""
        found = servers_in(self.data)
        patience = time.monotonic() + ORPHAN_SECONDS_MAX
        asked = False
        while left := servers_in(self.data):
            main = _first_line_pid(self.data / "postmaster.pid")
            if main in left and not asked:
                with suppress(ProcessLookupError):  # on its way out already
                    os.kill(main, signal.SIGINT)
                asked = True
            if time.monotonic() > patience:
                raise Unusable(f"data_dir: old postgres processes {left} do not stop")
            time.sleep(POLL_SECONDS)
        # With no server left here, a lock file can only name a stranger with the same number.
        for lock in (self.data / "postmaster.pid", self.run / f"{SOCKET_NAME}.lock"):
            if (pid := _first_line_pid(lock)) is not None and Path(f"/proc/{pid}").exists():
                lock.unlink()
        return len(found)

    def start(self, options: Mapping[str, str] | None = None) -> Server:
        """Start the server as our child; `options` override postgresql.conf."""
        logs = self.folder / "log"
        _private_folder(self.run)
        _private_folder(logs)
        fixed = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{str(self.run).replace(chr(34), chr(34) * 2)}"',
            "unix_socket_permissions": "0700",
            "logging_collector": "on",
            "log_directory": str(logs),
            **(options or {}),
        }
        command = [str(program("postgres")), "-D", str(self.data)]
        for name, value in fixed.items():
            command += ["-c", f"{name}={value}"]
        with (logs / "start.log").open("wb") as words:
            process = subprocess.Popen(
                guarded(command, death_signal="INT"),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env=environment(),
                start_new_session=True,  # Ctrl-C is for us; we pass it on as a fast shutdown
            )
        return Server(process, self.data, logs)


@contextmanager
def owned(settings: Settings) -> Iterator[Cluster]:
    """Take the directory for this process; a second owner is refused at once."""
    run = socket_directory(settings)
    refuse_unfit_user()
    folder = run.parent.resolve()
    _private_folder(folder)
    with (folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise Unusable(
                f"data_dir: another `gateway database` owns {settings.data_dir}"
            ) from fault
        yield Cluster(folder, run)


@contextmanager
def running(
    settings: Settings, *, options: Mapping[str, str] | None = None, durable: bool = True
) -> Iterator[Server]:
    """Own, create, start and stop: the whole life of the embedded server in one block."""
    with owned(settings) as cluster:
        cluster.create_if_absent(
            settings.secret("database.admin_password_file"), durable=durable
        )
        cluster.stop_orphans()
        server = cluster.start(options)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.stop()


def _initdb(target: Path, *, durable: bool) -> list[str]:
    command = [
        str(program("initdb")),
        *("--pgdata", str(target), "--username", "postgres"),
        *("--auth", "scram-sha-256", "--pwfile", "/dev/stdin"),
        # The built-in provider sorts the same on every system, so no index depends on glibc.
        *("--encoding", "UTF8", "--locale", "C"),
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        "--no-instructions",
    ]
    for name, value in _FIRST_SETTINGS.items():
        command += ["--set", f"{name}={value}"]
    if not durable:
        command.append("--no-sync")
    return guarded(command, death_signal="KILL")


def _is_ready(lock: Path, pid: int) -> bool:
    """Read the state that the server writes into line 8 of its lock file, as pg_ctl does."""
    try:
        lines = lock.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _first_line_pid(lock: Path) -> int | None:
    try:
        first = lock.read_text().split("\n", 1)[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdecimal() else None


def _private_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
