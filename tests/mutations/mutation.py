"""One guard taken away: which text of which file, and the tests that must notice."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Mutation:
    """Replace `old`, which stands once in `path`, by `new`; every test of `tests` must fail.

    `guard` says what is protected. `tests` are pytest ids relative to the project.
    """

    guard: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """Return the file's text without the guard; `ValueError` where it is not there once."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.guard}: {self.path} has {found} times {self.old!r}")
        return text.replace(self.old, self.new)
