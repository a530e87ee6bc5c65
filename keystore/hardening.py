"""What the kernel is asked to keep from others: core files, other processes, swap, new code.

Linux only. What an old kernel or a small limit denies is told in the log, except that a process
that could be read by others does not go on.
"""

import ctypes
import os
import resource

from keystore.refusal import Unfit

_PR_SET_DUMPABLE = 4
_PR_SET_MDWE = 65
_PR_MDWE_REFUSE_EXEC_GAIN = 1
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_libc = ctypes.CDLL(None, use_errno=True)


def forbid_dumps() -> None:
    """No core file, and no other process of this user may read our memory.

    It holds for the whole process, so the command module calls it before any key is there.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise Unfit(f"prctl(PR_SET_DUMPABLE): {os.strerror(ctypes.get_errno())}")


def lock_memory() -> bool:
    """Keep every page out of swap from now on; tell whether that worked.

    Under a finite `RLIMIT_MEMLOCK` later allocations would fail, so nothing is locked there
    (systemd: `LimitMEMLOCK=infinity`). Pages are locked when they are first used.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        return False
    locked: int = _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    return locked == 0


def forbid_new_code() -> bool:
    """Refuse memory that was writable to become executable; tell whether the kernel can."""
    refused: int = _libc.prctl(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
    return refused == 0


def harden() -> dict[str, bool]:
    """Do all three for this process and those it starts; return what held, for the log."""
    forbid_dumps()
    return {"memory_locked": lock_memory(), "new_code_forbidden": forbid_new_code()}
