"""Does the ledger agree with the chains? An independent look that shares no code with either.

On one side SQL as the owner of the database, on the other the nodes' own RPC over plain HTTP.
Custody is the only account that mirrors the chain, so for every asset the balances of all
addresses of the house must be what custody is below zero. It holds at rest only: the look is
repeated until nothing is under way or `--patience` seconds have passed.

    python -m devnet.audit --socket DIR --password-file FILE --node NETWORK=URL ...

Prints `{"journals", "sum_is_zero", "onchain_equals_ledger", "assets": [...]}`; exit code 1
where the two differ. Imports nothing of gateway, watchers or keystore.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
from psycopg.rows import namedtuple_row

from devnet.balances import onchain

PAUSE_SECONDS = 0.5

JOURNALS = "SELECT count(*) FROM journal"
UNDER_WAY = """
    SELECT (SELECT count(*) FROM deposit WHERE status = 'pending')
         + (SELECT count(*) FROM attempt WHERE state IN ('prepared', 'signed', 'included'))
         + (SELECT count(*) FROM withdrawal WHERE status IN ('signing', 'broadcast', 'confirming'))
"""
UNBALANCED = """
    SELECT count(*) FROM (
        SELECT 1 FROM balance_history GROUP BY journal_id, currency_id
            HAVING sum(delta_confirmed + delta_locked) <> 0
        UNION ALL
        SELECT 1 FROM wallet GROUP BY currency_id HAVING sum(confirmed + locked) <> 0
        UNION ALL
        SELECT 1 FROM wallet w LEFT JOIN balance_history h ON h.wallet_id = w.id
            GROUP BY w.id, w.confirmed, w.locked, w.version
            HAVING w.confirmed <> coalesce(sum(h.delta_confirmed), 0)
                OR w.locked <> coalesce(sum(h.delta_locked), 0)
                OR w.version <> count(h.version)
    ) AS faults
"""
ASSETS = """
    SELECT c.id, c.contract, n.id AS network, n.family,
           -coalesce((SELECT w.confirmed FROM wallet w
                      WHERE w.account = 'custody' AND w.currency_id = c.id), 0) AS units
    FROM currency c JOIN network n ON n.id = c.network_id ORDER BY n.id, c.contract NULLS FIRST
"""
ADDRESSES = """
    SELECT network_id, address FROM address_pool
    UNION SELECT network_id, address FROM application_wallet
"""


@dataclass(frozen=True, slots=True)
class Book:
    """What the database says in one snapshot."""

    journals: int
    unbalanced: int
    under_way: int
    assets: Sequence[Any]
    addresses: Mapping[str, Sequence[str]]


def read_book(connection: psycopg.Connection[Any]) -> Book:
    """Read everything in one repeatable-read transaction."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        assets = connection.cursor(row_factory=namedtuple_row).execute(ASSETS).fetchall()
        addresses: dict[str, list[str]] = {}
        for network, address in connection.execute(ADDRESSES):
            addresses.setdefault(network, []).append(address)
        return Book(
            journals=_count(connection, JOURNALS),
            unbalanced=_count(connection, UNBALANCED),
            under_way=_count(connection, UNDER_WAY),
            assets=assets,
            addresses=addresses,
        )


def _count(connection: psycopg.Connection[Any], query: LiteralString) -> int:
    [[number]] = connection.execute(query).fetchall()
    return int(number)


async def audit(
    connection: psycopg.Connection[Any], nodes: Mapping[str, str]
) -> tuple[bool, Any]:
    """Look once; return whether everything rests and agrees, and the report."""
    book = read_book(connection)
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        held = await asyncio.gather(
            *(
                onchain(
                    client,
                    asset.family,
                    nodes[asset.network],
                    asset.contract,
                    book.addresses.get(asset.network, ()),
                )
                for asset in book.assets
            )
        )
    lines = [
        {
            "asset": asset.id,
            "onchain_units": str(units),
            "ledger_units": str(int(asset.units)),
        }
        for asset, units in zip(book.assets, held, strict=True)
    ]
    equal = bool(lines) and all(line["onchain_units"] == line["ledger_units"] for line in lines)
    report = {
        "journals": book.journals,
        "sum_is_zero": book.unbalanced == 0,
        "onchain_equals_ledger": equal,
        "assets": lines,
    }
    return equal and not book.unbalanced and not book.under_way, report


def main(argv: Sequence[str] | None = None) -> int:
    """Look until it agrees or patience ends; print the last report."""
    options = _arguments(argv)
    deadline = time.monotonic() + options.patience
    with psycopg.connect(
        host=str(options.socket.resolve()),
        port=5432,
        dbname=options.database,
        user=options.user,
        password=options.password_file.read_text().strip(),
        autocommit=True,
    ) as connection:
        while True:
            well, report = asyncio.run(audit(connection, dict(options.node)))
            if well or time.monotonic() > deadline:
                break
            time.sleep(PAUSE_SECONDS)
    print(json.dumps(report))
    return 0 if well else 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devnet.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--socket", type=Path, required=True, help="the database server's socket folder"
    )
    parser.add_argument("--database", default="gateway")
    parser.add_argument("--user", default="gw_owner")
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument(
        "--node", action="append", required=True, type=_node, metavar="NETWORK=URL"
    )
    parser.add_argument("--patience", type=int, default=0, metavar="SECONDS")
    return parser.parse_args(argv)


def _node(text: str) -> tuple[str, str]:
    network, _, url = text.partition("=")
    if not url:
        raise argparse.ArgumentTypeError("NETWORK=URL")
    return network, url


if __name__ == "__main__":
    sys.exit(main())
