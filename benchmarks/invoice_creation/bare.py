"""The limit: the statements of one creation, sent by pgbench as gw_api, with nothing around them."""

import asyncio
import os
import re
import time
from pathlib import Path

from sqlalchemy import text

from benchmarks.invoice_creation.shop import MERCHANT, Shop
from gateway.accounts.keys import hashed
from gateway.db import CROSS_TENANT
from gateway.postgres.process import program
from gateway.postgres.url import role_url

CLIENTS = 8
_HERE = Path(__file__).parent
# What the last creation over HTTP wrote: a letter repeated would be compressed, and stored in less.
_WRITTEN = text("""
SELECT (SELECT CAST(data AS text) FROM event ORDER BY position DESC LIMIT 1),
    (SELECT response_body FROM idempotency_key ORDER BY created_at DESC LIMIT 1)
""")
_RATE = re.compile(r"tps = ([0-9.]+)")
_FAILED = re.compile(r"number of failed transactions: ([0-9]+)")


async def rate(opened: Shop, count: int) -> float:
    """Create about `count` invoices; return how many a second were created.

    One was created over HTTP before: its document and its kept answer are written again.
    """
    digest = hashed(opened.settings.secret("api.key_pepper_file"), opened.key)
    async with opened.owner.unit_of_work(CROSS_TENANT) as session:
        document, kept = (await session.execute(_WRITTEN)).one()
    # Ids grow with the time, as ours do; 16 digits, and each client counts on.
    first = str(time.time_ns() // 1_000_000 * 1_000)
    given = {"hash": digest.hex(), "first": first, "document": document, "kept": kept}
    return await _run(opened, "bare.sql", count, {**given, "made": "0"})


async def claims(opened: Shop, count: int) -> float:
    """Claim about `count` addresses, each in a transaction; return how many a second."""
    return await _run(opened, "claim.sql", count, {})


async def _run(opened: Shop, script: str, count: int, values: dict[str, str]) -> float:
    url = role_url(opened.settings, "api")
    defined = [f"--define={name}={value}" for name, value in values.items()]
    command = [
        str(program("pgbench")), "--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}",
        f"--transactions={count // CLIENTS}", f"--file={_HERE / script}", *defined,
        f"--host={url.query['host']}", f"--username={url.username}", str(url.database),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command,
        env={
            **os.environ,
            "PGPASSWORD": str(url.password),
            "PGOPTIONS": f"-c app.merchant_id={MERCHANT}",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    found, failed = _RATE.search(said.decode()), _FAILED.search(said.decode())
    if process.returncode or found is None or (failed and failed[1] != "0"):
        raise RuntimeError(said.decode())
    return float(found[1])
