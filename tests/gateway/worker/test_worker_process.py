"""`gateway worker` as systemd runs it: its log, its end, and a database that comes and goes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from structlog.testing import capture_logs

from gateway import worker
from gateway.settings import PriceSettings
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import Received, World, all_are, eventually, receiving, world

pytestmark = pytest.mark.anyio

RSS_MIB_MAX = 120


@asynccontextmanager
async def process(w: World, folder: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Start `gateway worker` on the world's database, logging into `folder`."""
    config = folder / "gateway.toml"
    config.write_text(configuration(w))
    with (folder / "log").open("wb") as words:
        running = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-m", "gateway", "worker", "--config", str(config)],
            stderr=words,
            stdout=words,
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def configuration(w: World) -> str:
    """Write the world's settings as a file."""
    database = w.settings.database
    keys = "\n".join(
        f'{name} = "{getattr(database, name)}"' for name in ("url", "worker_password_file")
    )
    return f"""
[networks.ethereum]
family = "ethereum"
display_name = "Ethereum"
identity = "31337"
rpc_urls = ["http://127.0.0.1:1"]
test = true
assets = [{{ code = "ETH", decimals = 18 }}]
[prices]
static = {{ ETH = "2500" }}
[database]
{keys}
[webhooks]
master_secret_file = "{w.settings.webhooks.master_secret_file}"
allow_private = true
poll_milliseconds = 50
timeout_seconds = 5
"""


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return the log, which must be JSON line by line."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


async def test_one_line_per_delivery_without_secrets(
    database: FreshDatabase, short_folder: Path
) -> None:
    """Event, endpoint, status and milliseconds; neither secret nor signature nor body."""
    async with world(database) as w, receiving() as shop:
        shop.answers(500, 200)
        await w.endpoint(shop.url)
        first, second = await w.emit("inv_1", "inv_2", data={"object": {"id": "canary-body"}})
        async with process(w, short_folder) as running:
            await eventually(lambda: len(shop.requests) == 2)
            memory = psutil.Process(running.pid).memory_info().rss >> 20
            running.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(running.wait, 10) == 0
    sent = [line for line in lines(short_folder) if line["event"] == "webhook"]
    assert {line["event_id"] for line in sent} == {first, second}
    assert sorted(line["status"] for line in sent) == [200, 500]
    assert all(line["endpoint_id"] == "whe_1" and line["ms"] >= 0 for line in sent)
    written = (short_folder / "log").read_text()
    signature = shop.requests[0].headers["webhook-signature"]
    for secret in (
        w.secret(), w.secret().removeprefix("whsec_"), signature.removeprefix("v1,"),
        w.settings.secret("webhooks.master_secret_file"),
        w.settings.secret("database.worker_password_file"), "canary-body",
    ):  # fmt: skip
        assert secret not in written
    assert lines(short_folder)[-1]["event"] == "stopped"
    assert memory < RSS_MIB_MAX


async def test_sigterm_lets_a_request_end(database: FreshDatabase, short_folder: Path) -> None:
    """The answer is written before the process ends with 0."""
    async with world(database) as w, receiving() as shop:

        async def slow(_received: Received) -> web.Response:
            await asyncio.sleep(1)
            return web.Response()

        shop.answer = slow
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with process(w, short_folder) as running:
            await eventually(lambda: shop.requests)
            running.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(running.wait, 10) == 0
        assert await w.statuses() == ["succeeded"]


async def test_killed_with_9_the_event_is_sent_again(
    database: FreshDatabase, short_folder: Path
) -> None:
    """Same id, by the next worker, once the lease is over."""
    async with world(database) as w, receiving() as shop:

        async def hang(_received: Received) -> web.Response:
            await asyncio.sleep(60)
            return web.Response()

        shop.answer = hang
        await w.endpoint(shop.url)
        [event_id] = await w.emit("inv_1")
        async with process(w, short_folder) as running:
            await eventually(lambda: shop.requests)
            os.kill(running.pid, signal.SIGKILL)
            await asyncio.to_thread(running.wait, 10)
        shop.answer = None
        await w.execute("UPDATE webhook_delivery SET leased_until = now()")
        async with process(w, short_folder):
            await eventually(all_are(w, "succeeded"))
        assert shop.ids() == [event_id, event_id]


async def test_broken_connections_are_waited_out(database: FreshDatabase) -> None:
    """Every session is cut, again and again: the worker goes on, and nothing is lost."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        async with w.working():
            ids = []
            for number in range(5):
                ids += await w.emit(f"inv_{number}")
                await w.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE usename = 'gw_worker' AND datname = current_database()"
                )
                await asyncio.sleep(0.05)
            w.clock.put_forward(seconds=40)
            await eventually(all_are(w, "succeeded"))
        assert set(shop.ids()) == set(ids)


async def test_who_hears_again_waits_for_nothing(database: FreshDatabase) -> None:
    """A listener's round lasts as long as its connection: it is well as soon as there is one."""

    def said(event: str) -> bool:
        return any(line["event"] == event and line.get("task") == "listen" for line in logs)

    async with world(database) as w:
        with capture_logs() as logs:
            async with w.working():

                async def cut() -> bool:
                    await w.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                    )
                    return said("waiting")

                await eventually(cut)
                await eventually(lambda: said("recovered"))


async def test_a_bug_ends_the_worker(database: FreshDatabase) -> None:
    """A missing permission is no trouble of the world: it must be seen, not waited out."""
    async with world(database) as w:
        await w.execute("REVOKE INSERT ON price_history FROM gw_worker")
        prices = PriceSettings(static={"ETH": "1"})
        settings = msgspec.structs.replace(w.settings, prices=prices)
        with pytest.raises(ExceptionGroup) as raised:
            async with asyncio.timeout(10):
                await worker.run(settings, asyncio.Event(), w.clock)
        assert raised.group_contains(ProgrammingError)


async def test_used_up_idempotency_keys_are_forgotten(database: FreshDatabase) -> None:
    """Those that have expired, and no other."""
    async with world(database) as w:
        for key, hours in (("old", -1), ("young", 1)):
            await w.execute(
                "INSERT INTO idempotency_key (merchant_id, endpoint, key, request_hash,"
                " created_at, expires_at) VALUES ('mer_1', 'POST /v1/invoices', :key, '',"
                " now() - interval '1 day', now() + make_interval(hours => :hours))",
                key=key,
                hours=hours,
            )

        async def keys() -> list[str]:
            async with w.owner.unit_of_work(None) as session:
                return list(await session.scalars(text("SELECT key FROM idempotency_key")))

        async def forgotten() -> bool:
            return "old" not in await keys()

        async with w.working():
            await eventually(forgotten)
        assert await keys() == ["young"]
