"""What this process does about memory: it seldom looks for garbage, and keeps what it freed.

A block leaves no cycles behind, and the next one needs as much room again.
"""

import ctypes
import gc

NEW_OBJECTS = 50_000
"""Containers made since the last look; Python's own 700 are made by a single full block."""
LOOKS_PER_FULL = 20

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 64 << 20
"""So much freed room at the end of the heap is kept. Given back, its pages would have to be
mapped and cleared again with the next block, which costs as much as to unpack it."""
OWN_MAPPING_BYTES = 32 << 20
"""Smaller pieces come from the heap. The C library allows no more."""


def settle() -> None:
    """Leave what start-up made out of every later look, and look seldom from here on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, LOOKS_PER_FULL, LOOKS_PER_FULL)
    _keep_freed()


def _keep_freed() -> None:
    """Tell glibc (mallopt(3)); other C libraries have no such choice."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, OWN_MAPPING_BYTES)
