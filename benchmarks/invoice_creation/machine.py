"""What the rest of the machine did meanwhile, by Linux's own accounts.

A rate of one process beside one of many is worth what its quiet was: whoever shares the machine
takes more from the one than from the many.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_RESTING = frozenset({3, 4})
"""Places of idle and iowait in the first line of /proc/stat (proc_stat(5))."""


@contextmanager
def shared(found: list[float]) -> Iterator[None]:
    """Append the part of the machine, 0 to 1, that others than we had during the block."""
    begun, busy, own = time.perf_counter(), _busy(), _own()
    yield
    passed = (time.perf_counter() - begun) * (os.cpu_count() or 1)
    found.append(max(0.0, _busy() - busy - (_own() - own)) / passed)


def _busy() -> float:
    """Return the seconds that all cores worked since they were started, for whomever."""
    ticks = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return sum(int(each) for place, each in enumerate(ticks) if place not in _RESTING) / _TICK


def _own() -> float:
    """Return the seconds that this process and all below it worked, those that ended included."""
    parents: dict[int, int] = {}
    worked: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended
        pid = int(entry.parent.name)
        parents[pid] = int(fields[1])
        worked[pid] = sum(int(each) for each in fields[11:15])
    return sum(ticks for pid, ticks in worked.items() if _is_ours(pid, parents)) / _TICK


def _is_ours(pid: int, parents: dict[int, int]) -> bool:
    while pid != os.getpid():
        if pid not in parents:
            return False
        pid = parents[pid]
    return True
