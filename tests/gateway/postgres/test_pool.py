"""The pool: a connection that died while it rested is never lent."""

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT, Database
from gateway.postgres.url import role_url
from tests.conftest import FreshDatabase

pytestmark = pytest.mark.anyio


async def test_a_connection_that_died_at_rest_is_replaced(database: FreshDatabase) -> None:
    """The server ends it, as a restart does; the next transaction gets a living one."""
    ours = Database(role_url(database.settings, "owner"), pool_size=1, idle_seconds=0)
    other = Database(role_url(database.settings, "admin"), pool_size=1)
    try:
        async with ours.unit_of_work(CROSS_TENANT) as session:
            first = await session.scalar(text("SELECT pg_backend_pid()"))
        async with other.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first}
            )
        async with ours.unit_of_work(CROSS_TENANT) as session:
            assert await session.scalar(text("SELECT pg_backend_pid()")) != first
    finally:
        await ours.aclose()
        await other.aclose()
