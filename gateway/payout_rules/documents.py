"""What the world sees of a payout rule."""

from datetime import datetime

import msgspec

from gateway.domain.addresses import display
from gateway.domain.money import to_text
from gateway.models import AddressBookEntry, Currency, PayoutRule


class PayoutRuleDocument(msgspec.Struct, kw_only=True):
    """A rule; `reason` says why it pays nothing although the balance is there.

    Its withdrawals name it in `created_by`, as `auto:` and its id.
    """

    id: str
    object: str
    livemode: bool
    merchant_id: str
    payment_method: str
    threshold: str
    keep: str
    address_book_entry: str
    destination: str
    approval: str
    period_minutes: int
    enabled: bool
    reason: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


def rule_document(
    row: PayoutRule, currency: Currency, entry: AddressBookEntry
) -> PayoutRuleDocument:
    """Shape one rule."""
    return PayoutRuleDocument(
        id=row.id,
        object="payout_rule",
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        payment_method=row.currency_id,
        threshold=to_text(row.threshold_units, currency.decimals),
        keep=to_text(row.keep_units, currency.decimals),
        address_book_entry=row.entry_id,
        destination=display(entry.address),
        approval=row.approval,
        period_minutes=row.period_minutes,
        enabled=row.enabled,
        reason=row.reason,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )
