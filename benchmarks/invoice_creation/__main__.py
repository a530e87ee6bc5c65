"""How fast invoices are created over HTTP, beside the limit and a peer; in turns, medians.

Authentication, idempotency and audit are on. The limit is pgbench with the statements of
`bare.sql`, one round trip each, and longer than the others, since its connections are new each
time; the peer is `fastapi_orm`, which answers the same document. All of them use one database with
the settings that operators get (fsync and synchronous_commit on), and so do the processes: uvicorn
with uvloop and h11, 8 connections each. Ours writes its log line per request, to nowhere; the peer
writes none. Load, servers and PostgreSQL share the machine with nobody, or the ratios mean little:
the last column tells what others took of it. Run: `.venv/bin/python -m benchmarks.invoice_creation [--rounds N] [--requests N]`.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

import uvloop

from benchmarks.invoice_creation import bare
from benchmarks.invoice_creation.load import rate
from benchmarks.invoice_creation.machine import shared
from benchmarks.invoice_creation.serving import served
from benchmarks.invoice_creation.shop import add_addresses, shop, tidied
from benchmarks.timing import table

ROUNDS, COUNT, CONNECTIONS = 3, 1_500, 32
LONGER = 4
"""How many times as many creations the limit gets: a process of it warms up anew each time."""
LIMIT = "bare SQL (pgbench)"
ONE, TWO, PEER = "ours, 1 worker", "ours, 2 workers", "FastAPI + ORM, 1 worker"


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.invoice_creation")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=COUNT, help="of each kind in a round")
    given = parser.parse_args(arguments)
    uvloop.run(_measured(given.rounds, given.requests))


async def _measured(rounds: int, count: int) -> None:
    rates: dict[str, list[float]] = {LIMIT: [], ONE: [], TWO: [], PEER: []}
    others: dict[str, list[float]] = {name: [] for name in rates}
    async with shop() as opened:
        await add_addresses(
            opened.owner, 0, (rounds + 1) * (count + CONNECTIONS) * (3 + 2 * LONGER)
        )
        with served(opened, "ours", 2) as ours, served(opened, "peer", 1) as peer:
            for number in range(-1, rounds):
                for name, ports in ((ONE, ours[:1]), (TWO, ours), (PEER, peer)):
                    turn = f"{name[:3]}{number}-{len(ports)}"
                    # A server that rested while the others worked reads what it remembers anew.
                    await rate(ports, opened.key, f"{turn}-first", CONNECTIONS, CONNECTIONS)
                    with shared(others[name]):
                        made = await rate(ports, opened.key, turn, count, CONNECTIONS)
                    rates[name].append(made)
                with shared(others[LIMIT]):
                    rates[LIMIT].append(await bare.rate(opened, LONGER * count))
                await tidied(opened.owner)
    # The first round warms everything up.
    found = {name: statistics.median(values[1:]) for name, values in rates.items()}
    goals = {LIMIT: "", ONE: "0.25", TWO: "0.35", PEER: ""}
    rows = [
        [
            name,
            f"{found[name]:.0f}",
            f"{found[name] / found[LIMIT]:.2f}",
            goals[name],
            f"{found[name] / found[PEER]:.1f}",
            f"{statistics.median(others[name][1:]):.0%}",
        ]
        for name in rates
    ]
    table(
        "Invoices created over HTTP",
        ["", "per second", "of the limit", "goal", "of the peer", "others took"],
        rows,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
