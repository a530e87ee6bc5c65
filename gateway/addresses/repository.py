"""Named queries for the address pool; each is one SECURITY DEFINER function of the schema."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress


async def claim(
    session: AsyncSession, network: str, invoice_id: str, at: datetime
) -> SignedAddress | None:
    """Take one address for good, for an invoice of the current tenant; None if none is left."""
    columns = func.claim_address(network, invoice_id, at).table_valued(
        "address", "index", "path", "signature"
    )
    row = (await session.execute(select(columns))).one_or_none()
    if row is None:
        return None
    address, index, path, signature = row
    return SignedAddress(network, index, path, address, signature)


async def is_own(session: AsyncSession, network: str, address: str) -> bool:
    """Tell whether a stored address is in the pool or an application wallet, whoever's it is."""
    return bool(await session.scalar(select(func.is_own_address(network, address))))
