"""A POST whose process is killed in the middle, and its retry, are one change."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from devnet.system.waiting import until
from tests.conftest import FreshDatabase
from tests.contract.makers import ETHER
from tests.contract.sides import ADDRESS, METHOD
from tests.gateway.commands.served import write_config
from tests.gateway.shop import POOL_PUBLIC_KEY, Shop, opened
from tests.migrations.test_ledger_rules import connect

pytestmark = pytest.mark.anyio

REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/withdrawals": (
        "withdrawal",
        {"payment_method": METHOD, "amount": "0.01", "destination": ADDRESS},
    ),
    "/v1/invoices": (
        "invoice",
        {"amount": "5", "currency": "USD", "payment_methods": [METHOD]},
    ),
}
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gw_api' AND wait_event_type = 'Lock'"
    " AND datname = current_database()"
)


@asynccontextmanager
async def _served(config: Path) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """Serve the API in a process of its own; yield it and its address."""
    log = config.with_name("log")
    with log.open("w") as stderr:
        command = [sys.executable, "-m", "gateway", "api", "--config", str(config)]
        process = subprocess.Popen(command, stderr=stderr, text=True)  # noqa: ASYNC220

    async def port() -> int | None:
        assert process.poll() is None, log.read_text()
        line, end, _ = log.read_text().partition("\n")
        return int(json.loads(line)["port"]) if end else None

    try:
        yield process, f"http://127.0.0.1:{await until(port, 'the API to listen')}"
    finally:
        process.kill()
        process.wait()


def _count(database: FreshDatabase, statement: str) -> int:
    with connect(database, "admin") as admin:
        [found] = admin.execute(statement.encode()).fetchall()
    return int(found[0])


async def _sent(client: httpx.AsyncClient, path: str, key: str) -> httpx.Response:
    """Send the request until it is no longer in flight elsewhere."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "the only one"}

    async def answered() -> httpx.Response | None:
        answer = await client.post(path, json=REQUESTS[path][1], headers=headers)
        return None if answer.status_code == 409 else answer

    return await until(answered, f"POST {path} to be answered")


async def _killed_while(
    process: subprocess.Popen[str], requests: list[asyncio.Task[httpx.Response]]
) -> None:
    process.kill()
    process.wait()
    for request in requests:
        with pytest.raises(httpx.TransportError):
            await request


async def test_killed_before_the_commit_and_after_it(
    database: FreshDatabase, short_folder: Path
) -> None:
    """Without a commit nothing is there and the retry does it; after it the retry is told of it."""
    async with opened(database) as shop:
        merchant_id = await shop.merchant()
        key = await shop.key(merchant_id)
        await shop.fund(merchant_id, METHOD, ETHER)
        await _fresh(shop)
        config = write_config(short_folder, database)
        with config.open("a") as file:
            file.write(f'[keystore]\npool_public_key = "{POOL_PUBLIC_KEY}"\n')
        await _before_the_commit(database, config, key)
        first = await _after_the_commit(database, config, key)
        async with _served(config) as (_, url), httpx.AsyncClient(base_url=url) as client:
            for path, (table, _body) in REQUESTS.items():
                answer = await _sent(client, path, key)
                assert answer.headers["idempotent-replayed"] == "true"
                assert [(answer.json()["id"],)] == first[path]
                assert _count(database, f"SELECT count(*) FROM {table}") == 1


async def _before_the_commit(database: FreshDatabase, config: Path, key: str) -> None:
    """Kill the process in the middle: the last round trip brings the commit with it."""
    async with _served(config) as (process, url), httpx.AsyncClient(base_url=url) as client:
        with connect(database, "owner") as owner:
            owner.execute("LOCK TABLE withdrawal, free_address IN EXCLUSIVE MODE")
            sent = [asyncio.create_task(_sent(client, path, key)) for path in REQUESTS]

            async def all_wait() -> bool | None:
                await asyncio.sleep(0)
                return _count(database, WAITING) == len(REQUESTS) or None

            await until(all_wait, "the requests to be in the middle")
            await _killed_while(process, sent)
    for table, _body in REQUESTS.values():
        assert _count(database, f"SELECT count(*) FROM {table}") == 0


async def _after_the_commit(
    database: FreshDatabase, config: Path, key: str
) -> dict[str, list[tuple[str]]]:
    """Let the process do what it was asked and kill it with the answers on their way."""
    made: dict[str, list[tuple[str]]] = {}
    async with _served(config) as (process, url), httpx.AsyncClient(base_url=url) as client:
        for path, (table, _body) in REQUESTS.items():
            sent = asyncio.create_task(_sent(client, path, key))

            async def there(table: str = table) -> bool | None:
                return _count(database, f"SELECT count(*) FROM {table}") > 0 or None

            await until(there, "the row to be there")
            sent.cancel()
            with connect(database, "owner") as owner:
                made[path] = owner.execute(f"SELECT id FROM {table}".encode()).fetchall()
        process.kill()
    return made


async def _fresh(shop: Shop) -> None:
    """Move prices and health to the real time, which the served process goes by."""
    await shop.run("UPDATE price_history SET at = now()")
    await shop.run("UPDATE network_health SET updated_at = now(), head_time = now()")
