"""What receivers answer, refuse or swallow, and what becomes of them."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.models import Event
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import (
    Received,
    all_are,
    ended,
    eventually,
    receiving,
    world,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("change", ["status = 'disabled'", "deleted_at = now()"])
async def test_nothing_is_sent_to_an_endpoint_that_was_switched_off(
    database: FreshDatabase, change: str
) -> None:
    """What was due there is skipped, with the reason; the others are served."""
    async with world(database) as w, receiving() as off, receiving() as on:
        await w.endpoint(off.url, id_="whe_off")
        await w.endpoint(on.url, id_="whe_on")
        await w.emit("inv_1")
        await w.execute(f"UPDATE webhook_endpoint SET {change} WHERE id = 'whe_off'")
        async with w.working():
            await eventually(lambda: ended(w))
        assert (len(off.requests), len(on.requests)) == (0, 1)
        [skipped] = [row for row in await w.deliveries() if row.endpoint_id == "whe_off"]
        assert (skipped.status, skipped.error) == ("skipped", "the endpoint is disabled")


async def test_410_disables_the_endpoint_and_tells_the_others(database: FreshDatabase) -> None:
    """What was still waiting for it is skipped."""
    async with world(database) as w, receiving() as gone, receiving() as other:
        gone.answers(410)
        await w.endpoint(gone.url, id_="whe_gone")
        await w.endpoint(other.url, id_="whe_other")
        await w.emit("inv_1", "inv_1")
        async with w.working():
            await eventually(lambda: len(other.requests) == 3)
            w.clock.put_forward(seconds=6)
            await eventually(lambda: ended(w))
        assert (await w.endpoint_row("whe_gone")).status == "disabled"
        assert len(gone.requests) == 1
        news = other.requests[-1].document
        assert news["type"] == "webhook_endpoint.disabled"
        assert news["data"]["object"]["id"] == "whe_gone"
        by_endpoint = [
            row.status for row in await w.deliveries() if row.endpoint_id == "whe_gone"
        ]
        assert by_endpoint == ["exhausted", "skipped"]


async def test_a_late_410_of_an_old_url_disables_nothing(database: FreshDatabase) -> None:
    """The merchant has moved on while the request was under way."""
    async with world(database) as w, receiving() as gone, receiving() as new:

        async def moved(_received: Received) -> web.StreamResponse:
            await w.execute("UPDATE webhook_endpoint SET url = :url", url=new.url)
            return web.Response(status=410)

        gone.answer = moved
        await w.endpoint(gone.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "exhausted"))
            await w.emit("inv_2")
            await eventually(lambda: new.requests)
        assert (await w.endpoint_row()).status == "enabled"


async def test_ten_exhausted_in_a_row_disable_the_endpoint(database: FreshDatabase) -> None:
    """Nine do not; a success in between begins the count anew."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)

        async def send(status: int, *subjects: str) -> tuple[str, int]:
            shop.answers(status)
            await w.emit(*subjects)
            await w.execute("UPDATE webhook_delivery SET attempts = 9 WHERE attempts = 0")
            async with w.working():
                await eventually(lambda: ended(w))
            row = await w.endpoint_row()
            return row.status, row.exhausted_in_a_row

        assert await send(500, *[f"inv_{n}" for n in range(9)]) == ("enabled", 9)
        assert await send(200, "inv_good") == ("enabled", 0)
        assert await send(500, *[f"inv_{n}" for n in range(9)]) == ("enabled", 9)
        assert await send(500, "inv_last") == ("disabled", 10)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            types = list(await session.scalars(select(Event.type).order_by(Event.position)))
        assert types[-1] == "webhook_endpoint.disabled"


@pytest.mark.parametrize("body", [b"a\x00b", b"\xff\xfe", "é".encode() * 3000, b"x" * 10**6])
async def test_any_answer_body_can_be_kept(database: FreshDatabase, body: bytes) -> None:
    """Zero bytes, broken UTF-8, a megabyte: at most 2 KiB of text are stored."""
    async with world(database) as w, receiving() as shop:

        async def answer(_received: Received) -> web.Response:
            return web.Response(body=body)

        shop.answer = answer
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        [row] = await w.deliveries()
        assert row.response_body is not None
        assert 1 <= len(row.response_body) <= 2048


@pytest.mark.parametrize(
    ("status", "headers"),
    [(302, {"location": "/elsewhere"}), (307, {"location": "/elsewhere"}), (429, {})],
)
async def test_a_redirect_is_not_followed(
    database: FreshDatabase, status: int, headers: dict[str, str]
) -> None:
    """It is a failed attempt like any other."""
    async with world(database) as w, receiving() as shop:

        async def answer(_received: Received) -> web.Response:
            return web.Response(status=status, headers=headers)

        shop.answer = answer
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "retrying"))
        assert [each.path for each in shop.requests] == ["/hook"]


async def test_retry_after_is_honoured(database: FreshDatabase) -> None:
    """A receiver that asks for two minutes gets them."""
    async with world(database) as w, receiving() as shop:

        async def answer(_received: Received) -> web.Response:
            return web.Response(status=503, headers={"retry-after": "120"})

        shop.answer = answer
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "retrying"))
            [row] = await w.deliveries()
            assert timedelta(seconds=110) < row.next_attempt_at - w.clock().at


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/", "the connection was refused"),
        ("http://nowhere.invalid/", "the host name cannot be resolved"),
        ("http://169.254.169.254/latest", "the address is not public"),
        ("http://" + "a" * 64 + ".example/", "the host name cannot be resolved"),
        ("https://127.0.0.1:1/", "the connection was refused"),
        ("nonsense", "the URL must begin with https://"),
    ],
)
async def test_trouble_on_the_way_is_told_in_our_words(
    database: FreshDatabase, url: str, words: str
) -> None:
    """Nothing of our network is in the text that a merchant may read."""
    async with world(database) as w:
        await w.endpoint(url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "retrying"))
        [row] = await w.deliveries()
        assert (row.error, row.response_status) == (words, None)


async def test_silence_ends_at_the_timeout(database: FreshDatabase) -> None:
    """A receiver that takes the request and says nothing costs the timeout and one attempt."""
    async with world(database, timeout_seconds=1) as w, receiving() as shop:

        async def hang(_received: Received) -> web.Response:
            await asyncio.sleep(60)
            return web.Response()

        shop.answer = hang
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "retrying"))
        [row] = await w.deliveries()
        assert row.error == "no answer in time"
        assert row.duration_ms is not None
        assert 900 < row.duration_ms < 3000


async def test_a_body_that_never_ends_is_still_a_receipt(database: FreshDatabase) -> None:
    """The status decides; the body is read for people."""
    async with world(database, timeout_seconds=1) as w:

        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthank")
            await writer.drain()
            await reader.read()  # until the sender gives up
            writer.close()

        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await w.endpoint(f"http://127.0.0.1:{port}/")
            await w.emit("inv_1")
            async with w.working():
                await eventually(all_are(w, "succeeded"))
        [row] = await w.deliveries()
        assert (row.response_status, row.response_body) == (200, "thank")
