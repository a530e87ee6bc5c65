"""Which wallet of ours pays on a network."""

from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet


async def hot_address(database: Database, network: str) -> str | None:
    """Return the hot wallet's address, None before the keystore has named one."""
    query = select(ApplicationWallet.address).where(
        ApplicationWallet.network_id == network, ApplicationWallet.purpose == "hot"
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        found: str | None = await session.scalar(query.order_by(ApplicationWallet.id).limit(1))
    return found
