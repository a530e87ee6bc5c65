"""How fast invoices are created over HTTP, beside the limit and a peer; in turns, medians.

Authentication, idempotency and audit are on. The limit is pgbench with the statements of
`bare.sql` on the same database; the peer is `fastapi_orm`. Load, servers and PostgreSQL share the
machine. Run: `.venv/bin/python -m benchmarks.invoice_creation`.
"""

import asyncio
import statistics

from benchmarks.invoice_creation import bare
from benchmarks.invoice_creation.load import rate
from benchmarks.invoice_creation.serving import served
from benchmarks.invoice_creation.shop import add_addresses, shop
from benchmarks.timing import table

ROUNDS, COUNT, CONNECTIONS = 3, 1_500, 32
LIMIT = "bare SQL (pgbench)"
ONE, TWO, PEER = "ours, 1 worker", "ours, 2 workers", "FastAPI + ORM, 1 worker"


def main() -> None:
    """Measure and print."""
    asyncio.run(_measured())


async def _measured() -> None:
    rates: dict[str, list[float]] = {LIMIT: [], ONE: [], TWO: [], PEER: []}
    async with shop() as opened:
        await add_addresses(opened.owner, 0, (ROUNDS + 1) * len(rates) * COUNT * 2)
        with served(opened, "ours", 2) as ours, served(opened, "peer", 1) as peer:
            for number in range(-1, ROUNDS):
                for name, ports in ((ONE, ours[:1]), (TWO, ours), (PEER, peer)):
                    made = await rate(
                        ports,
                        opened.key,
                        f"{name[:3]}{number}-{len(ports)}",
                        count=COUNT,
                        connections=CONNECTIONS,
                    )
                    rates[name].append(made)
                rates[LIMIT].append(await bare.rate(opened, COUNT))
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
        ]
        for name in rates
    ]
    table(
        "Invoices created over HTTP",
        ["", "per second", "of the limit", "goal", "of the peer"],
        rows,
    )


if __name__ == "__main__":
    main()
