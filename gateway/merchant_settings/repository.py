"""Named queries for settings."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.domain.moment import Moment
from gateway.models import Currency, Merchant, MerchantSettings


async def settings_of(
    session: AsyncSession, merchant_id: str
) -> tuple[Merchant, MerchantSettings | None]:
    """Return the merchant and its wishes, None where it never had any, in one round trip."""
    query = (
        select(Merchant, MerchantSettings)
        .outerjoin(MerchantSettings, MerchantSettings.merchant_id == Merchant.id)
        .where(Merchant.id == merchant_id, Merchant.deleted_at.is_(None))
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise NotFound(f"there is no merchant {merchant_id[:64]}")
    merchant, row = found
    return merchant, row


async def locked_settings(
    session: AsyncSession, merchant_id: str, moment: Moment
) -> MerchantSettings:
    """Return the merchant's wishes under their row's lock, made now if need be."""
    made = insert(MerchantSettings).values(merchant_id=merchant_id, updated_at=moment.at)
    await session.execute(made.on_conflict_do_nothing())
    query = (
        select(MerchantSettings)
        .where(MerchantSettings.merchant_id == merchant_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).one()


async def known_methods(session: AsyncSession, names: Sequence[str]) -> set[str]:
    """Return those of the names that are payment methods of this gateway."""
    return set(await session.scalars(select(Currency.id).where(Currency.id.in_(names))))
