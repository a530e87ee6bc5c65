"""A child that the kernel ends when we end, however we end."""

import os
from collections.abc import Sequence

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
