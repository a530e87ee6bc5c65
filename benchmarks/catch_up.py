"""How much of a bare client's rate the scanner keeps while it catches up, every check on.

Both read the same 500 full blocks of one anvil, and the empty ones above them, with the same
requests and as many at once; the bare client throws the answers away, ours proves, links, matches
and commits them into the embedded PostgreSQL, credits included. Ours warms up on the hundred blocks
below. In turns; the ratio of the medians counts.

Blocks are read in both ways that the scanner has: in parts (block, logs, receipts that matter), and
whole (block, all receipts) as from nodes without logs by block hash, which this node takes ten times
as long for. Traces are left out. A hundredth of all payments is ours; a last row shows a tenth,
which writing deposits bounds.

Run: `.venv/bin/python -m benchmarks.catch_up`; with `PONDER=1` in the environment also beside
Ponder, which npm installs into `var/ponder`.
"""

import argparse
import os
import secrets
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks import beside_ponder
from benchmarks.beside_ponder import rounded
from benchmarks.busy_chain import BLOCKS, POOL, TRANSACTIONS, WARMING, busy_chain
from benchmarks.fetch_only import fetch, requests_of
from benchmarks.scanning import Ours, ours
from benchmarks.timing import console, table
from gateway import logs
from gateway.commands.init import create_secrets
from gateway.postgres.cluster import running
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.settings import Settings
from watchers.providers.capabilities import LOGS, TRACES
from watchers.scan.prefetch import IN_FLIGHT_MAX

ROUNDS = 9
ROUNDS_OF_THE_SLOW = 2
PONDER = "PONDER"
NOT_ASKED = "Ponder comparison skipped: ask for it with `make bench PONDER=1`"
IN_PARTS, WHOLE = (TRACES,), (TRACES, LOGS)
"""What each way of reading does without."""


@dataclass(frozen=True, slots=True)
class Way:
    """The runs of one way of reading, blocks per second of the bare client beside ours."""

    name: str
    limits: list[float] = field(default_factory=list)
    runs: list[Ours] = field(default_factory=list)

    def rows(self) -> list[list[str]]:
        """Return its two rows of the table."""
        limit = statistics.median(self.limits)
        rates = [run.rate for run in self.runs]
        rate = statistics.median(rates)
        share = f"{rate / limit:.2f} (goal 0.60)"
        return [
            [f"{self.name}: fetch only", f"{limit:.1f}", rounded(self.limits), "1.00"],
            [f"{self.name}: {_counts(self.runs[-1])}", f"{rate:.1f}", rounded(rates), share],
        ]


def show(blocks: int, ways: Sequence[Way], flood: Sequence[Ours]) -> None:
    """Print every way of reading, and what a flood of deposits does to it."""
    rates = [run.rate for run in flood]
    flooded = statistics.median(rates)
    rows = [row for way in ways for row in way.rows()]
    table(
        f"Catch-up on anvil: {blocks} blocks of {TRANSACTIONS} transactions, {IN_FLIGHT_MAX} "
        "reads at once, into PostgreSQL",
        ["", "blocks/s, median", "runs", "of fetch-only"],
        [*rows, [f"in parts: {_counts(flood[-1])}", f"{flooded:.1f}", rounded(rates), "-"]],
    )
    written = flooded * flood[-1].deposits / (WARMING + blocks)
    console.print(f"The last row writes {written:.0f} deposits/s.")


def _counts(run: Ours) -> str:
    return f"{run.deposits} deposits, {run.credited} credited"


async def measure(settings: Settings, blocks: int, rounds: int) -> None:
    """Fill a chain, let everybody read it in turns, print."""
    async with busy_chain(blocks) as full:
        chain = full.with_pool(POOL // 10)
        missing = beside_ponder.install() if PONDER in os.environ else NOT_ASKED
        parts, whole = Way("in parts"), Way("whole")
        flood, theirs = list[Ours](), list[beside_ponder.Theirs]()
        asked = {
            way.name: await requests_of(chain, whole=way is whole) for way in (parts, whole)
        }

        async def turn(way: Way, without: Sequence[str]) -> None:
            way.limits.append(await fetch(chain, asked[way.name], IN_FLIGHT_MAX))
            way.runs.append(await ours(settings, chain, without))

        for number in range(rounds):
            await turn(parts, IN_PARTS)
            if missing is None:
                theirs.append(await beside_ponder.ponder(settings, chain))
            if number < ROUNDS_OF_THE_SLOW:
                await turn(whole, WHOLE)
                flood.append(await ours(settings, full, IN_PARTS))
        show(blocks, (parts, whole), flood)
        if missing is None:
            beside_ponder.show([run.rate for run in parts.runs], theirs)
        else:
            console.print(missing)


def main(argv: Sequence[str] = ()) -> int:
    """Start the database, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="gw-") as folder,
        Path(os.devnull).open("w") as null,
    ):
        settings = Settings(networks={}, data_dir=Path(folder))
        create_secrets(settings, secrets.token_urlsafe)
        logs.configure("info", stream=null)
        with running(settings):
            prepare_server(settings)
            migrate(settings)
            uvloop.run(measure(settings, args.blocks, args.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
