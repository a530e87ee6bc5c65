"""The client's stage: the real application on a port, reached by both call styles."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn

from tests.conftest import TestServer, cloned
from tests.gateway.shop import Shop, opened


@dataclass
class Served:
    """A shop whose API listens on a port of this machine, and a merchant's key."""

    shop: Shop
    url: str
    merchant_id: str
    key: str


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the tests' runner."""
        yield


@pytest.fixture(scope="module")
async def served(database_server: TestServer) -> AsyncIterator[Served]:
    """Serve the application once for a module; plain clients call it from a thread."""
    with cloned(database_server) as database, socket.create_server(("127.0.0.1", 0)) as port:
        async with opened(database) as shop:
            config = uvicorn.Config(shop.api.asgi, lifespan="off", log_config=None)
            server = _Server(config)
            serving = asyncio.create_task(server.serve(sockets=[port]))
            merchant_id = await shop.merchant()
            key = await shop.key(merchant_id)
            yield Served(shop, f"http://127.0.0.1:{port.getsockname()[1]}", merchant_id, key)
            server.should_exit = True
            await serving
