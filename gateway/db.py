"""Sessions and the one commit point of the house."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

CROSS_TENANT = None
"""For roles whose policies see every tenant; as gw_api it sees no tenant's row at all."""


class Database:
    """An engine for one role. Every change goes through `unit_of_work`."""

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self.engine = create_async_engine(
            url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, pool_timeout=10
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def unit_of_work(self, merchant_id: str | None) -> AsyncIterator[AsyncSession]:
        """Open one transaction under one tenant; commit at its end or roll all of it back.

        The tenant is set for this transaction only: a session-level setting would leak to the
        next user of the pooled connection.
        """
        async with self._sessions() as session:
            if merchant_id is not None:
                await session.execute(_TENANT, {"merchant_id": merchant_id})
            yield session
            await session.commit()

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Lend a connection that hears a channel: iterate over its `notifies()`.

        It is closed afterwards: a listening connection is of no use to others.
        """
        async with self.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            if not isinstance(driver, psycopg.AsyncConnection):
                raise TypeError(f"LISTEN needs psycopg, not {type(driver).__name__}")
            try:
                await driver.set_autocommit(True)
                await driver.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                yield driver
            finally:
                await connection.invalidate()

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


_TENANT = text("SELECT set_config('app.merchant_id', :merchant_id, true)")
_CURRENT_TENANT = text("SELECT coalesce(current_setting('app.merchant_id', true), '')")


@asynccontextmanager
async def acting_for(session: AsyncSession, merchant_id: str) -> AsyncIterator[None]:
    """Act inside one tenant for a part of this transaction, then return to where it was.

    Only for operators. After a fault nothing is restored: the transaction is lost anyway.
    """
    before = await session.scalar(_CURRENT_TENANT)
    await session.execute(_TENANT, {"merchant_id": merchant_id})
    yield
    await session.flush()
    await session.execute(_TENANT, {"merchant_id": before})


async def notify(session: AsyncSession, channel: str, payload: str) -> None:
    """Wake listeners of a channel when this transaction commits."""
    arguments: dict[str, Any] = {"channel": channel, "payload": payload}
    await session.execute(text("SELECT pg_notify(:channel, :payload)"), arguments)
