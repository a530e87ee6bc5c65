"""A command whose standard output nobody reads any more: `gateway ... | head -1`."""

import os
import sys
from collections.abc import Callable

UNHEARD = (
    "standard output was closed: what was printed is lost, what was done is in the audit log"
)


def heard(name: str, run: Callable[[], int]) -> int:
    """Carry out a command and send on what it printed; return its exit code.

    Where nobody reads that any more, a token perhaps, it is refused: one line, and 1.
    """
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python tries what is left in the buffer once more when it ends: that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"{name}: {UNHEARD}\n")
        return 1
    return code
