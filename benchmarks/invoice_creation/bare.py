"""The limit: the statements of one creation, sent by pgbench as gw_api, with nothing around them."""

import asyncio
import os
import re
from pathlib import Path

from benchmarks.invoice_creation.shop import MERCHANT, Shop
from gateway.accounts.keys import hashed
from gateway.postgres.process import program
from gateway.postgres.url import role_url

CLIENTS = 8
_HERE = Path(__file__).parent
_RATE = re.compile(r"tps = ([0-9.]+)")
_FAILED = re.compile(r"number of failed transactions: ([0-9]+)")


async def rate(opened: Shop, count: int) -> float:
    """Create about `count` invoices; return how many a second were created."""
    digest = hashed(opened.settings.secret("api.key_pepper_file"), opened.key)
    return await _run(opened, "bare.sql", count, {"hash": digest.hex()})


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
