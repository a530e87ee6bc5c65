"""Named queries for the address pool; what tenants may ask is a SECURITY DEFINER function."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress
from gateway.db import send, send_later
from gateway.line import Later
from gateway.models import AddressPool

EXPORTED_AT_ONCE = 200
_AHEAD = "address"
_CLAIM = """
SELECT address, index, path, signature FROM claim_address(%(network)s, %(invoice_id)s, %(at)s)
"""


async def claim_ahead(
    session: AsyncSession, network: str, invoice_id: str, at: datetime
) -> None:
    """Have `claim` of the same answered by the round trip of whatever comes next.

    It is taken all the same: whoever does not call `claim` has to undo the transaction.
    """
    values = {"network": network, "invoice_id": invoice_id, "at": at}
    session.info[_AHEAD] = {(network, invoice_id): await send_later(session, _CLAIM, values)}


async def claim(
    session: AsyncSession, network: str, invoice_id: str, at: datetime
) -> SignedAddress | None:
    """Take one address for good, for an invoice of the current tenant; None if none is left."""
    values = {"network": network, "invoice_id": invoice_id, "at": at}
    asked: dict[tuple[str, str], Later] = session.info.get(_AHEAD, {})
    later = asked.pop((network, invoice_id), None)
    found = await (send(session, _CLAIM, values) if later is None else later.rows())
    if not found:
        return None
    address, index, path, signature = found[0]
    return SignedAddress(network, index, path, address, signature)


async def claim_for_customer(
    session: AsyncSession, network: str, customer_id: str, at: datetime
) -> tuple[SignedAddress, bool] | None:
    """Return the address of a customer of the current tenant, and whether it was taken just now.

    None if it has none and none is left.
    """
    columns = func.claim_customer_address(network, customer_id, at).table_valued(
        "address", "index", "path", "signature", "fresh"
    )
    row = (await session.execute(select(columns))).one_or_none()
    if row is None:
        return None
    address, index, path, signature, fresh = row
    return SignedAddress(network, index, path, address, signature), fresh


async def is_own(session: AsyncSession, network: str, address: str) -> bool:
    """Tell whether a stored address is in the pool or an application wallet, whoever's it is."""
    return bool(await session.scalar(select(func.is_own_address(network, address))))


async def signed_rows(
    session: AsyncSession, networks: Collection[str]
) -> AsyncIterator[Sequence[SignedAddress]]:
    """Yield the pool of these networks, or of all, in portions; never the whole in memory."""
    query = select(
        AddressPool.network_id,
        AddressPool.index,
        AddressPool.path,
        AddressPool.address,
        AddressPool.signature,
    ).order_by(AddressPool.network_id, AddressPool.index)
    if networks:
        query = query.where(AddressPool.network_id.in_(networks))
    found = await session.stream(query.execution_options(yield_per=EXPORTED_AT_ONCE))
    async for rows in found.partitions():
        yield [SignedAddress(*row) for row in rows]
