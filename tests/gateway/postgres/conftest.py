"""A database of one connection, with a table to write to."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT, Database
from gateway.postgres.url import role_url
from tests.conftest import FreshDatabase


@pytest.fixture
async def db(database: FreshDatabase) -> AsyncIterator[Database]:
    """One connection, and a table to write to."""
    made = Database(role_url(database.settings, "owner"), pool_size=1, idle_seconds=60)
    async with made.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("CREATE TABLE note (id integer PRIMARY KEY, word text)"))
    yield made
    await made.aclose()
