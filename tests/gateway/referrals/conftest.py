"""The stage of this room's tests."""

from collections.abc import AsyncIterator

import pytest

from gateway.db import Database
from tests.conftest import FreshDatabase
from tests.gateway.shop import shop

__all__ = ["shop", "worker"]


@pytest.fixture
async def worker(database: FreshDatabase) -> AsyncIterator[Database]:
    """Open the database as gw_worker."""
    opened = Database(database.url("worker"), pool_size=2)
    yield opened
    await opened.aclose()
