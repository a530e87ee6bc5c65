"""A child that the kernel ends when we end, however we end."""

import os
import time
from collections.abc import Sequence

import psutil

SAME_PARENT = '[ "$PPID" = "$0" ] && exec "$@"'


def tied(command: Sequence[str]) -> tuple[str, ...]:
    """Wrap a command: SIGTERM when our process ends. The process id is the command's own.

    `setpriv` (util-linux) asks the kernel for the signal. Had we been killed before it could
    ask, no signal would come: so the command starts only if we are still its parent.
    """
    return (
        "setpriv",
        "--pdeathsig",
        "TERM",
        "--",
        "sh",
        "-c",
        SAME_PARENT,
        str(os.getpid()),
        *command,
    )


def survivors(processes: Sequence[psutil.Process], seconds: float = 5.0) -> list[str]:
    """Wait for the end of `processes`; name those that still run after `seconds`.

    A zombie has ended: the first process of a container may never collect it.
    """
    deadline = time.monotonic() + seconds
    while (running := [each for each in processes if _runs(each)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.02)
    return [f"{process.pid}" for process in running]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
