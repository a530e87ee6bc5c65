"""What the world sees of the address book."""

from datetime import datetime

import msgspec

from gateway.domain.addresses import display
from gateway.models import AddressBookEntry, WithdrawalSettings


class AddressBookEntryDocument(msgspec.Struct, kw_only=True):
    """A destination; `usable` from `usable_at` on and until it is deleted."""

    id: str
    object: str
    livemode: bool
    merchant_id: str
    network: str
    address: str
    label: str
    usable: bool
    created_by: str
    created_at: datetime
    usable_at: datetime
    deleted_at: datetime | None


class WithdrawalSettingsDocument(msgspec.Struct, kw_only=True):
    """Whether withdrawals go to entries of the book only.

    After it was switched off they still do until `restricted_until`.
    """

    object: str
    livemode: bool
    merchant_id: str
    address_book_only: bool
    restricted_until: datetime | None
    cooldown_hours: int


def entry_document(row: AddressBookEntry, at: datetime) -> AddressBookEntryDocument:
    """Shape one entry as of now."""
    return AddressBookEntryDocument(
        id=row.id,
        object="address_book_entry",
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        network=row.network_id,
        address=display(row.address),
        label=row.label,
        usable=is_usable(row, at),
        created_by=row.created_by,
        created_at=row.created_at,
        usable_at=row.usable_at,
        deleted_at=row.deleted_at,
    )


def is_usable(row: AddressBookEntry, at: datetime) -> bool:
    """Tell whether money may go there now."""
    return row.deleted_at is None and row.usable_at <= at


def settings_document(
    row: WithdrawalSettings | None,
    merchant_id: str,
    at: datetime,
    cooldown_hours: int,
    *,
    livemode: bool,
) -> WithdrawalSettingsDocument:
    """Shape the settings; a merchant that never set them is free."""
    until = None if row is None else row.restricted_until
    return WithdrawalSettingsDocument(
        object="withdrawal_settings",
        livemode=livemode,
        merchant_id=merchant_id,
        address_book_only=row is not None and row.address_book_only,
        restricted_until=until if until is not None and until > at else None,
        cooldown_hours=cooldown_hours,
    )
