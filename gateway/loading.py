"""What a command needs is loaded when it is asked for, and all of it at once."""

import gc
import importlib
from types import ModuleType


def loaded(name: str) -> ModuleType:
    """Import a module of ours by its name; what is there from then on stays out of every search.

    What an import makes lasts as long as the process. To look through it for garbage while it
    grows, once more afterwards and again at the end was half of a short command's time.
    """
    gc.disable()
    try:
        module = importlib.import_module(name)
        # Once: where others live in the process, their garbage is still to be found.
        if not gc.get_freeze_count():
            gc.freeze()
    finally:
        gc.enable()
    return module
