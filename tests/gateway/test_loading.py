"""A module is loaded without a search for garbage, and afterwards garbage is searched again."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.loading import loaded

ROOT = Path(__file__).resolve().parents[2]


def test_a_module_that_cannot_be_loaded_leaves_the_search_on() -> None:
    """Whoever catches the fault goes on as before."""
    with pytest.raises(ModuleNotFoundError):
        loaded("gateway.commands.nothing")
    assert gc.isenabled()


def test_only_the_first_of_several_is_left_out_of_searches() -> None:
    """What else lives in the process by then may become garbage and is to be found."""
    program = (
        "import gc\n"
        "from gateway.loading import loaded\n"
        "assert loaded('gateway.domain.money').to_text\n"
        "first = gc.get_freeze_count()\n"
        "others = [[] for _ in range(5000)]\n"
        "loaded('gateway.domain.tax')\n"
        "print(first > 0, gc.get_freeze_count() <= first, gc.isenabled())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True True True\n"
