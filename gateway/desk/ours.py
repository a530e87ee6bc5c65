"""Whether the address of a deposit is one of ours, as its row stands now."""

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.models import AddressPool, ApplicationWallet, Deposit


async def is_ours(session: AsyncSession, deposit_id: str, public_key: str) -> bool:
    """Tell whether the keystore (`public_key`) signed its pool row, or whether it is a wallet."""
    pool = (
        select(AddressPool)
        .join(
            Deposit,
            and_(
                Deposit.network_id == AddressPool.network_id,
                Deposit.address == AddressPool.address,
            ),
        )
        .where(Deposit.id == deposit_id)
        .execution_options(populate_existing=True)
    )
    row = (await session.scalars(pool)).one_or_none()
    if row is not None:
        signed = SignedAddress(row.network_id, row.index, row.path, row.address, row.signature)
        return is_genuine(signed, public_key)
    wallet = (
        select(ApplicationWallet.id)
        .join(
            Deposit,
            and_(
                Deposit.network_id == ApplicationWallet.network_id,
                Deposit.address == ApplicationWallet.address,
            ),
        )
        .where(Deposit.id == deposit_id)
    )
    return await session.scalar(wallet) is not None
