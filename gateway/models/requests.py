"""What merchants ask for before and when they withdraw: quotes, batches, address book, rules."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class FeeQuote(Table):
    """What one payout costs the operator now, in base units of the network's own coin."""

    __tablename__ = "fee_quote"
    currency_id: Mapped[TextKey]
    network_id: Mapped[str]
    typical_units: Mapped[UnitsColumn]
    ceiling_units: Mapped[UnitsColumn]
    parts: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]


class WithdrawalBatch(Table):
    """Withdrawals that were asked for together; `items` counts the refused ones too."""

    __tablename__ = "withdrawal_batch"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    items: Mapped[int]
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class AddressBookEntry(Table):
    """Where a merchant's money may go, from `usable_at` on."""

    __tablename__ = "address_book_entry"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    network_id: Mapped[str]
    address: Mapped[str]
    label: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    usable_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class WithdrawalSettings(Table):
    """Whether a merchant's money goes to entries of its book only.

    `restricted_until` is when a book that was opened again stops to count.
    """

    __tablename__ = "withdrawal_settings"
    merchant_id: Mapped[TextKey]
    livemode: Mapped[bool] = mapped_column(primary_key=True)
    address_book_only: Mapped[bool]
    restricted_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class PayoutRule(Table):
    """Pay out a balance above a threshold by itself; `reason` says why it does not now."""

    __tablename__ = "payout_rule"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    currency_id: Mapped[str]
    entry_id: Mapped[str]
    threshold_units: Mapped[UnitsColumn]
    keep_units: Mapped[UnitsColumn]
    approval: Mapped[str]
    period_minutes: Mapped[int]
    enabled: Mapped[bool]
    reason: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
