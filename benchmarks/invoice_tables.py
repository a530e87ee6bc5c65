"""What grows with the tables: claims over 400,000 invoices, lists and creation at three sizes.

Claims run through `claim_address` as gw_api, one transaction each, from pgbench, in turns at two
shops, one of which has given away most of its addresses: a disk's good and bad minutes are the
same for both. Lists and creations run through a served API. A list's time is from its request's first byte to its answer's
last, as a client that parses as little as it can sees it. Its query's time is that of the same
statements in a transaction of psycopg's own, their rows fetched as Python's values. Run: `.venv/bin/python -m benchmarks.invoice_tables`; with
`--kept FOLDER SIZE...` the tables of these sizes are kept there for the next time, without claims.
"""

import asyncio
import secrets
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import uvloop
from rich.progress import track
from sqlalchemy import event, text

from benchmarks.invoice_creation import bare
from benchmarks.invoice_creation.load import rate
from benchmarks.invoice_creation.serving import served
from benchmarks.invoice_creation.shop import (
    MERCHANT,
    Shop,
    add_addresses,
    kept_shop,
    shop,
    tidied,
)
from benchmarks.timing import console, table
from gateway.db import CROSS_TENANT, Database
from gateway.invoices.repository import documents_of
from gateway.invoices.search import InvoiceFilter, invoice_page
from gateway.paging import PageRequest
from gateway.postgres.url import role_url

CLAIMS, TURNS, TURN = 400_000, 20, 2_000
SIZES = (10_000, 100_000, 1_000_000)
LISTED, LISTS, CREATED, CONNECTIONS = 100, 200, 600, 8
LIST = f"/v1/invoices?limit={LISTED}"
LIMIT_LIST, RECEIVED = 3, 262_144
_GROW = text("""
WITH made AS (
    INSERT INTO invoice (id, merchant_id, livemode, order_id, metadata, amount, currency,
        tolerance_basis_points, status, exception, final, created_at, expires_at, monitoring_until)
    SELECT 'inv_0' || lpad(n::text, 25, '0'), 'mer_bench', false, n::text, '{}', 25, 'USD', 50,
        'expired', 'none', true, now(), now(), now() FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n
    RETURNING id)
INSERT INTO payment_option (invoice_id, currency_id, merchant_id, network_id, amount_units, rate,
    rate_source, rate_at)
SELECT id, 'ETH-ETHEREUM', 'mer_bench', 'ethereum', 10000000000000000, 2500, 'static', now() FROM made
""")
_ONE = text("""
INSERT INTO invoice (id, merchant_id, livemode, amount, currency, tolerance_basis_points,
    created_at, expires_at, monitoring_until)
VALUES ('inv_bench', 'mer_bench', false, 25, 'USD', 50, now(), now(), now())
""")
_STEPS = text("""
INSERT INTO invoice_timeline (invoice_id, merchant_id, status, exception, reason, at)
SELECT 'inv_0' || lpad(n::text, 25, '0'), 'mer_bench', 'pending', 'none', 'the invoice was created',
    now() FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n
""")
_THERE = text("""
SELECT (SELECT count(*) FROM invoice), (SELECT coalesce(max(index) + 1, 0) FROM address_pool)
""")


def main() -> None:
    """Measure and print."""
    asyncio.run(_claims())
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        uvloop.run(_sizes(Path(folder), SIZES))


async def _claims() -> None:
    before = CLAIMS - TURNS * TURN
    async with shop() as fresh, shop() as grown:
        for opened, count in ((fresh, TURNS * TURN), (grown, CLAIMS)):
            await add_addresses(opened.owner, 0, count)
            async with opened.owner.unit_of_work(CROSS_TENANT) as session:
                await session.execute(_ONE)
        await bare.claims(grown, before)
        await tidied(grown.owner)
        turns = [
            (await bare.claims(fresh, TURN), await bare.claims(grown, TURN))
            for _ in track(range(TURNS), "claiming", console=console, transient=True)
        ]
    first, last = map(statistics.median, zip(*turns, strict=True))
    rows = [
        [f"0 to {TURNS * TURN:,}", f"{first:.0f}", "1"],
        [f"{before:,} to {CLAIMS:,}", f"{last:.0f}", f"{last / first:.2f}"],
    ]
    title = f"Address claims, one transaction each, medians of {TURNS} turns"
    table(title, ["claimed", "per second", "of the first"], rows)


async def _sizes(folder: Path, sizes: Sequence[int]) -> None:
    rows = []
    for size in sizes:
        async with kept_shop(folder / str(size)) as opened:
            await _grow(opened.owner, size)
            with served(opened, "ours", 1) as ports:
                rows.append(await _at(opened, ports, size))
    columns = ["invoices", "creations per second", "list of 100, ms", "its query, ms", "ratio"]
    table(f"By size (list: at most {LIMIT_LIST} times its query)", columns, rows)


async def _grow(owner: Database, size: int) -> None:
    """Fill the tables up to `size`, and the pool with addresses for one round of creations."""
    portion = 50_000
    async with owner.unit_of_work(CROSS_TENANT) as session:
        there, indexes = (await session.execute(_THERE)).one()
    for first in track(
        range(there, size, portion), f"to {size:,}", console=console, transient=True
    ):
        part = {"first": first, "last": min(first + portion, size) - 1}
        async with owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(_GROW, part)
            await session.execute(_STEPS, part)
    await add_addresses(owner, indexes, CREATED)


async def _at(opened: Shop, ports: list[int], size: int) -> list[str]:
    name = secrets.token_hex(4)
    made = await rate(ports, opened.key, name, count=CREATED, connections=CONNECTIONS)
    lists, queries = [], []
    replay = await _recorded(opened)
    with socket.create_connection(("127.0.0.1", ports[0])) as client:
        for _ in range(LISTS):
            begun = time.perf_counter()
            answer = _asked(client, LIST, opened.key)
            lists.append(time.perf_counter() - begun)
            if len(msgspec.json.decode(answer)["data"]) != LISTED:
                raise RuntimeError(answer.decode())
            queries.append(replay())
    listed, query = statistics.median(lists) * 1000, statistics.median(queries) * 1000
    return [
        f"{size:,}",
        f"{made:.0f}",
        f"{listed:.1f}",
        f"{query:.1f}",
        f"{listed / query:.1f}",
    ]


def _asked(client: socket.socket, path: str, key: str) -> bytes:
    """Ask for a document over a kept connection and parse as little as can be; return its body."""
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    )
    found = b""
    while b"\r\n\r\n" not in found:
        found += client.recv(RECEIVED)
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    parts = [body]
    length -= len(body)
    while length > 0:
        parts.append(client.recv(RECEIVED))
        length -= len(parts[-1])
    return b"".join(parts)


async def _recorded(opened: Shop) -> Callable[[], float]:
    """List once in process; return what sends the same statements again, and how long it took."""
    database = Database(role_url(opened.settings, "api"), pool_size=1)
    statements: list[tuple[str, Any]] = []

    def note(*event_: Any) -> None:
        statements.append((event_[2], event_[3]))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    async with database.unit_of_work(MERCHANT) as session:
        page = PageRequest(limit=LISTED)
        found = await invoice_page(session, MERCHANT, page, InvoiceFilter(), livemode=False)
        await documents_of(session, found.rows, public_url="", check=lambda _: None)
    await database.aclose()
    url = role_url(opened.settings, "api")
    plain = psycopg.connect(
        host=str(url.query["host"]),
        user=url.username,
        password=str(url.password),
        dbname=url.database,
        autocommit=True,
    )

    def replay() -> float:
        begun = time.perf_counter()
        with plain.transaction():
            for statement, values in statements:
                plain.execute(statement, values).fetchall()
        return time.perf_counter() - begun

    return replay


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--kept", kept, *sizes]:
            uvloop.run(_sizes(Path(kept), [int(size) for size in sizes]))
        case _:
            main()
