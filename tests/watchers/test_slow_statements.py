"""Watchers log slow statements as the other processes do: above what the settings say."""

import msgspec
import pytest
import structlog
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from tests.conftest import FreshDatabase
from watchers.commands.carried import opened

pytestmark = pytest.mark.anyio


async def test_a_watcher_logs_what_the_settings_call_slow(database: FreshDatabase) -> None:
    """With its own role, and not only above the usual half second."""
    lower = msgspec.structs.replace(database.settings.database, slow_query_milliseconds=20)
    own = opened(msgspec.structs.replace(database.settings, database=lower))
    with structlog.testing.capture_logs() as logs:
        async with own.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("SELECT pg_sleep(0.03)"))
    await own.aclose()
    [slow] = [entry for entry in logs if entry["event"] == "slow statement"]
    assert (slow["role"], slow["sql"]) == ("gw_watcher", "SELECT pg_sleep(0.03)")
