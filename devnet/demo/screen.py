"""What a person sees while it runs: bars on a terminal, one line per step elsewhere."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

NAME_WIDTH = 24


@dataclass(slots=True)
class Screen:
    """Tells of set-up steps, and of tracks that advance side by side."""

    console: Console
    _began: float = field(default_factory=time.monotonic)
    _progress: Progress | None = None
    _tracks: dict[str, TaskID] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Return how long it has been."""
        return time.monotonic() - self._began

    def tell(self, text: str, style: str | None = None) -> None:
        """Print one line with the time since the beginning."""
        line = f"{self.seconds:5.1f} s {text}"
        self.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def tracks(self, names: Sequence[str], steps: int) -> Iterator[None]:
        """Show one bar per name for the length of the block."""
        if not self.console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.fields[name]:<24}"),
            BarColumn(bar_width=30),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as self._progress:
            for name in names:
                self._tracks[name] = self._progress.add_task(
                    "under way", total=steps, name=name
                )
            yield
        self._progress = None

    def step(self, name: str, done: str, *, last: bool = False) -> None:
        """Advance a track by one step."""
        if self._progress is None:
            self.tell(f"{name:<{NAME_WIDTH}} {done}")
            return
        track = self._tracks[name]
        self._progress.update(track, description=done, advance=1)
        if last:
            self._progress.update(track, completed=self._progress.tasks[track].total)
            self._progress.stop_task(track)
