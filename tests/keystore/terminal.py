"""A person before a terminal, as far as a command can tell."""

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

from tests.keystore.house import ROOT, House


@contextlib.contextmanager
def at_a_terminal(house: House, *args: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command as if a person sat before it."""
    ours, theirs = pty.openpty()
    keystore = [sys.executable, "-m", "keystore", *args, "--config", str(house.config)]
    # A suite that runs in the background ignores Ctrl-C, and its children would too.
    command = ["env", "--default-signal=INT", *keystore]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def read_until(terminal: int, text: str) -> str:
    """Read from a terminal until it shows `text`."""
    shown = ""
    while text not in shown:
        shown += os.read(terminal, 4096).decode()
    return shown
