"""How often this process looks for garbage: seldom, for what a block leaves behind is no cycle."""

import gc

NEW_OBJECTS = 50_000
"""Containers made since the last look; Python's own 700 are made by a single full block."""
LOOKS_PER_FULL = 20


def settle() -> None:
    """Leave what start-up made out of every later look, and look seldom from here on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, LOOKS_PER_FULL, LOOKS_PER_FULL)
