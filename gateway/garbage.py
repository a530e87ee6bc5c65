"""When a process that serves looks for garbage: seldom, and never in what its start-up made."""

import gc

NEW_OBJECTS = 20_000
"""So many new objects until the youngest are looked through; Python's own 700 are often within one
list, or a few deliveries under way."""


def settle() -> None:
    """Leave what start-up made out of every later look, and look seldom from here on."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
