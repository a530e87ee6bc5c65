"""Server processes for the length of a block."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.invoice_creation.shop import Shop

START_SECONDS = 60


@contextmanager
def served(opened: Shop, which: str, workers: int) -> Iterator[list[int]]:
    """Serve `ours` or the `peer` with as many processes; lend their ports."""
    command = [sys.executable, "-m", "benchmarks.invoice_creation.serve", which]
    ports = [_free_port() for _ in range(workers)]
    processes = [subprocess.Popen([*command, str(opened.file), str(port)]) for port in ports]
    try:
        for port in ports:
            _await_listener(port)
        yield ports
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _await_listener(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
