"""The whole worker: an endpoint is switched off, a person hears of it, the metrics say so."""

import socket

import httpx
import msgspec
import pytest

from gateway.settings import WorkerSettings
from tests.conftest import FreshDatabase
from tests.gateway.notifications.smtp import mail_server
from tests.gateway.worker.world import MERCHANT, eventually, receiving, world

pytestmark = pytest.mark.anyio


async def test_an_endpoint_that_was_switched_off_is_told_to_its_people(
    shared: FreshDatabase,
) -> None:
    """From the 410 to the mailbox, once; a message to nobody's target fails beside it."""
    async with mail_server() as server, world(shared) as w, receiving() as shop:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        notifications = msgspec.structs.replace(w.settings.notifications, url=server.url)
        w.settings = msgspec.structs.replace(
            w.settings, notifications=notifications, worker=WorkerSettings(metrics_port=port)
        )
        await w.execute(
            "UPDATE merchant SET email = 'boss@shop.example' WHERE id = :id", id=MERCHANT
        )
        shop.answers(410)
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working(), httpx.AsyncClient() as client:
            await eventually(lambda: server.messages)

            async def counted() -> str:
                shown = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
                wanted = 'gateway_notifications_total{channel="email",outcome="sent"} 1.0'
                return shown if wanted in shown else ""

            await eventually(counted)
            assert "gateway_database_pool_checked_out" in await counted()
        [message] = server.messages
        assert message["To"] == "boss@shop.example"
        assert message["Subject"] == "[test] Webhook endpoint whe_1 was disabled"
        assert "410 Gone" in message.as_string()
