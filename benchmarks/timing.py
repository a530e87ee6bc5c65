"""Interleaved timing: every variant in turn, several rounds, medians."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.progress import track
from rich.table import Table

console = Console()


def medians(
    variants: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 9,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the median seconds of each variant; they take turns within a round."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for work in variants.values():
        work()
    gc.collect()
    gc.freeze()
    for _ in track(range(rounds), "measuring", console=console, transient=True):
        for name, work in variants.items():
            start = clock()
            work()
            taken[name].append(clock() - start)
    gc.unfreeze()
    return {name: statistics.median(values) for name, values in taken.items()}


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print one result."""
    drawn = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        drawn.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)
