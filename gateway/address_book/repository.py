"""Named queries for the address book and its settings."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.models import AddressBookEntry, WithdrawalSettings
from gateway.paging import PageRequest, Slice, newest_first


async def entry_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    *,
    livemode: bool,
    network: str | None,
) -> Slice[AddressBookEntry]:
    """Return one page of the standing entries, newest first."""
    query = select(AddressBookEntry).where(
        AddressBookEntry.merchant_id == merchant_id,
        AddressBookEntry.livemode == livemode,
        AddressBookEntry.deleted_at.is_(None),
    )
    if network is not None:
        query = query.where(AddressBookEntry.network_id == network)
    return await newest_first(session, query, AddressBookEntry.id, page)


async def entry_of(
    session: AsyncSession,
    merchant_id: str,
    entry_id: str,
    *,
    livemode: bool,
    lock: bool = False,
) -> AddressBookEntry:
    """Return the merchant's entry, a deleted one too; raise `NotFound` where there is none."""
    query = select(AddressBookEntry).where(
        AddressBookEntry.id == entry_id,
        AddressBookEntry.merchant_id == merchant_id,
        AddressBookEntry.livemode == livemode,
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no address book entry {entry_id[:64]}")
    return row


async def standing_entry(
    session: AsyncSession, merchant_id: str, network_id: str, address: str, *, livemode: bool
) -> AddressBookEntry | None:
    """Return the entry of an address that is not deleted, usable or not."""
    query = select(AddressBookEntry).where(
        AddressBookEntry.merchant_id == merchant_id,
        AddressBookEntry.livemode == livemode,
        AddressBookEntry.network_id == network_id,
        AddressBookEntry.address == address,
        AddressBookEntry.deleted_at.is_(None),
    )
    return (await session.scalars(query)).one_or_none()


async def settings_of(
    session: AsyncSession, merchant_id: str, *, livemode: bool, lock: bool = False
) -> WithdrawalSettings | None:
    """Return the merchant's settings of a mode, None where it never set any."""
    query = select(WithdrawalSettings).where(
        WithdrawalSettings.merchant_id == merchant_id, WithdrawalSettings.livemode == livemode
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).one_or_none()
