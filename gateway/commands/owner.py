"""One transaction as the owner of the database, for commands an operator gives on the machine."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.errors import Refusal
from gateway.postgres.head import require_database
from gateway.postgres.url import role_url
from gateway.settings import Settings, SettingsError

T = TypeVar("T")


def as_owner(settings: Settings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Do the work in one transaction; a refusal becomes the command's one line."""
    require_database(settings, "owner")

    async def done() -> T:
        database = Database(role_url(settings, "owner"), pool_size=1)
        try:
            async with database.unit_of_work(CROSS_TENANT) as session:
                return await work(session)
        finally:
            await database.aclose()

    try:
        return asyncio.run(done())
    except Refusal as refusal:
        raise SettingsError(refusal.detail) from refusal
