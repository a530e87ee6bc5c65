"""`make mutations`: take each guard away in a copy of the tree; its tests must fail there.

Run: `.venv/bin/python -m tests.mutations [WORD]`; with a word, only guards that contain it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutations.guards import MUTATIONS
from tests.mutations.mutation import ROOT, Mutation

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "var", "build", "__pycache__", ".*_cache"
)
LINKED = (".venv", "devnet/node_modules")
SECONDS_MAX = 300
PASSED, FAILED = 0, 1
"""Exit codes of pytest; any other means that the tests did not run."""

console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said about one removed guard."""

    mutation: Mutation
    word: str
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether every named test failed."""
        return self.word == "caught"


def main(words: Sequence[str]) -> int:
    """Try every mutation; return 1 where a test did not notice or could not run."""
    chosen = [each for each in MUTATIONS if all(word in each.guard for word in words)]
    with tempfile.TemporaryDirectory(prefix="gw-mutations-") as folder:
        tree = _copy(Path(folder))
        every = sorted({test for each in chosen for test in each.tests}, key=place)
        console.print(f"{len(every)} tests in the whole tree first: they must pass")
        code, output = _pytest(tree, every)
        if code != PASSED:
            console.print(output[-5000:], markup=False)
            return 1
        verdicts = [
            _shown(_tried(tree, each), f"{number}/{len(chosen)}")
            for number, each in enumerate(chosen, 1)
        ]
    _print(verdicts)
    return 0 if all(verdict.caught for verdict in verdicts) else 1


def place(test: str) -> tuple[str, int]:
    """Return where a test stands: those of a file run in its order, as they may share its chain."""
    path, _, name = test.partition("::")
    return path, (ROOT / path).read_text().find(f"def {name.partition('[')[0]}(")


def _copy(folder: Path) -> Path:
    """Copy the project; what is installed and the recorded blocks are linked."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    for name in LINKED:
        (tree / name).symlink_to(ROOT / name)
    if (ROOT.parent / "shared").is_dir():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    return tree


def _tried(tree: Path, mutation: Mutation) -> Verdict:
    begun = time.monotonic()
    file = tree / mutation.path
    whole = file.read_text()
    try:
        file.write_text(mutation.applied(whole))
        code, output = _pytest(tree, mutation.tests)
    except (ValueError, subprocess.TimeoutExpired) as trouble:
        return Verdict(mutation, f"not tried: {trouble}", time.monotonic() - begun)
    finally:
        file.write_text(whole)
    return Verdict(mutation, _judged(mutation, code, output), time.monotonic() - begun)


def _judged(mutation: Mutation, code: int, output: str) -> str:
    if code == PASSED:
        return "SURVIVED"
    if code != FAILED:
        return f"not tried: pytest ended with {code}"
    failed = {
        match.partition("[")[0] for match in re.findall(r"^FAILED (\S+)", output, re.MULTILINE)
    }
    slept = [test for test in mutation.tests if test not in failed]
    return f"SURVIVED {', '.join(slept)}" if slept else "caught"


def _pytest(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests of the copy; the copy comes before the installed project."""
    # A file that changes twice within a second must never be taken from its old bytecode.
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *tests],
        cwd=tree, env=environment, capture_output=True, text=True, check=False,
        timeout=SECONDS_MAX + 20 * len(tests),
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def _shown(verdict: Verdict, place: str) -> Verdict:
    console.print(f"{place:>7} {verdict.mutation.guard}: {verdict.word}", markup=False)
    return verdict


def _print(verdicts: Sequence[Verdict]) -> None:
    table = Table(title="Guards taken away", title_justify="left")
    for column in ("guard", "file", "tests", "verdict", "s"):
        table.add_column(column)
    for each in verdicts:
        names = "\n".join(test.partition("::")[2] for test in each.mutation.tests)
        table.add_row(
            each.mutation.guard, each.mutation.path, names, each.word, f"{each.seconds:.0f}"
        )
    console.print(table)
    caught = sum(verdict.caught for verdict in verdicts)
    console.print(f"{caught} of {len(verdicts)} removed guards were noticed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
