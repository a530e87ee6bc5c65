"""What operators see of money that is nobody's, and of what they decided about it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gateway.domain.addresses import display
from gateway.domain.money import to_text
from gateway.models import Currency, Deposit, Resolution, Stray, StrayDay, Withdrawal


class PayoutDocument(msgspec.Struct, kw_only=True):
    """The withdrawal that pays a refund, and what it waits for (`blocked_reason`)."""

    id: str
    status: str
    blocked_reason: str | None
    failure_reason: str | None
    tx_hash: str | None


class ResolutionDocument(msgspec.Struct, kw_only=True):
    """`assign` gives a deposit to a merchant, `refund` pays it out to `destination`.

    `status` is `pending` until another operator decides, then `approved`, `paying` (a refund's
    withdrawal is under way), `done`, `rejected` or `failed`.
    """

    id: str
    object: str
    deposit_id: str
    network: str
    kind: str
    merchant_id: str | None
    invoice_id: str | None
    destination: str | None
    reason: str
    status: str
    failure_reason: str | None
    withdrawal: PayoutDocument | None
    requested_by: str
    decided_by: str | None
    created_at: datetime
    decided_at: datetime | None
    ended_at: datetime | None


class UnattributedDocument(msgspec.Struct, kw_only=True):
    """Value at an address of ours that is nobody's, and why (`reason`).

    Without a `payment_method` its asset is not listed, or it lies where no sweep reaches: it is
    in no ledger, and `amount` is not known. `resolution` is the newest request about it.
    """

    id: str
    object: str
    status: str
    reason: str | None
    payment_method: str | None
    currency: str | None
    asset: str
    network: str
    amount: str | None
    amount_atomic: str
    address: str
    sender: str | None
    tx_hash: str
    kind: str
    position: int
    block_height: int
    block_hash: str
    block_time: datetime
    detected_at: datetime
    confirmed_at: datetime | None
    resolution: ResolutionDocument | None


class SuppressedDocument(msgspec.Struct, kw_only=True):
    """Strays of one address, day and asset: those with a row, and those that were only counted.

    `asset` is null where more assets came in a day than are told apart.
    """

    object: str
    network: str
    address: str
    asset: str | None
    day: str
    kept: int
    dropped: int
    dropped_amount_atomic: str


def resolution_document(row: Resolution, payout: Withdrawal | None) -> ResolutionDocument:
    """Shape one resolution from its row and its refund's withdrawal."""
    return ResolutionDocument(
        id=row.id,
        object="resolution",
        deposit_id=row.deposit_id,
        network=row.network_id,
        kind=row.kind,
        merchant_id=row.merchant_id,
        invoice_id=row.invoice_id,
        destination=None if row.destination is None else display(row.destination),
        reason=row.reason,
        status=row.status,
        failure_reason=row.failure_reason,
        withdrawal=None if payout is None else _payout(payout),
        requested_by=row.requested_by,
        decided_by=row.decided_by,
        created_at=row.created_at,
        decided_at=row.decided_at,
        ended_at=row.ended_at,
    )


def _payout(withdrawal: Withdrawal) -> PayoutDocument:
    return PayoutDocument(
        id=withdrawal.id,
        status=withdrawal.status,
        blocked_reason=withdrawal.blocked_reason,
        failure_reason=withdrawal.failure_reason,
        tx_hash=withdrawal.tx_hash,
    )


def unattributed_document(
    row: Deposit | Stray,
    currencies: Mapping[str, Currency],
    latest: ResolutionDocument | None,
) -> UnattributedDocument:
    """Shape a deposit without an owner, or a stray."""
    currency = currencies[row.currency_id] if isinstance(row, Deposit) else None
    asset = row.asset if isinstance(row, Stray) else (currency and currency.contract)
    return UnattributedDocument(
        id=row.id,
        object="deposit",
        status=row.status,
        reason=row.reason,
        payment_method=None if currency is None else currency.id,
        currency=None if currency is None else currency.code,
        asset=display(asset or "native"),
        network=row.network_id,
        amount=None if currency is None else to_text(row.units, currency.decimals),
        amount_atomic=str(row.units),
        address=display(row.address),
        sender=display(row.sender) or None,
        tx_hash=row.tx_hash,
        kind=row.kind,
        position=row.ordinal,
        block_height=row.block_height,
        block_hash=row.block_hash,
        block_time=row.block_time,
        detected_at=row.detected_at,
        confirmed_at=row.confirmed_at,
        resolution=latest,
    )


def suppressed_document(row: StrayDay) -> SuppressedDocument:
    """Shape one day of one asset at one address."""
    return SuppressedDocument(
        object="suppressed_deposits",
        network=row.network_id,
        address=display(row.address),
        asset=display(row.asset) or None,
        day=row.day.isoformat(),
        kept=row.kept,
        dropped=row.dropped,
        dropped_amount_atomic=str(row.dropped_units),
    )
