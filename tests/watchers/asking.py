"""The API beside a watcher, on the world's database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec

from gateway.app import create_api
from gateway.db import Database
from tests.conftest import FreshDatabase
from tests.gateway.conftest import ETHEREUM, Clock, TestApi
from tests.watchers.world import NETWORK, World


@asynccontextmanager
async def asking(database: FreshDatabase, w: World) -> AsyncIterator[TestApi]:
    """Serve the API on the world's database."""
    settings = msgspec.structs.replace(database.settings, networks={NETWORK: ETHEREUM})
    as_api = Database(database.url("api"), pool_size=8)
    made = create_api(settings, as_api, clock := Clock())
    transport = httpx.ASGITransport(made.asgi, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield TestApi(made, client, settings, as_api, w.owner, clock)
    await as_api.aclose()
