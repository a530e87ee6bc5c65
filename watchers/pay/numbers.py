"""The keystore numbers what it signs; which of its numbers this database knows."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import Signature
from keystore.api import Signed
from keystore.client import KeystoreClient


async def highest_known(session: AsyncSession, network: str) -> int:
    """Return the highest number of this network's transactions that the database knows."""
    query = select(func.max(Signature.number)).where(Signature.network_id == network)
    return await session.scalar(query) or 0


async def unread(database: Database, keystore: KeystoreClient, network: str) -> bool:
    """Tell whether the keystore signed what the rows do not know: the watcher takes that over.

    Raises `KeystoreUnavailable`, `KeystoreRefused`.
    """
    async with database.unit_of_work(CROSS_TENANT) as session:
        known = await highest_known(session, network)
    return bool(await keystore.history(network, known))


async def note(
    session: AsyncSession, network: str, order_id: str, signed: Signed, moment: Moment
) -> None:
    """Remember a number together with what it stands for; a lane's set-up has none."""
    if not signed.number:
        return
    await session.execute(
        insert(Signature)
        .values(
            network_id=network,
            number=signed.number,
            withdrawal_id=order_id,
            tx_hash=signed.tx_hash,
            noted_at=moment.at,
        )
        .on_conflict_do_nothing()
    )
