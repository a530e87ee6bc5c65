"""What the world sees of a withdrawal."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.domain.addresses import display
from gateway.domain.money import to_text
from gateway.models import Currency, Withdrawal

APPROVALS_NEEDED = 1


class ApprovalsDocument(msgspec.Struct, kw_only=True):
    """How many approvals there are and how many are needed.

    The merchant's own gate until it is passed, then the people whom the keystore's policy names.
    """

    have: int
    need: int


class WithdrawalDocument(msgspec.Struct, kw_only=True):
    """A payout. The destination receives exactly `amount`; `fee_charged` is the merchant's fee.

    `network_fee` is what the network took from the operator, in the network's own coin, known
    once the payout is final. `invoice_id` and `refund_kind` are set where it refunds an invoice;
    `created_by` is a key, or `auto:` and the payout rule that asked; `customer_id` is the customer
    whose balance pays it, None where the merchant's own does.
    """

    id: str
    object: str
    livemode: bool
    merchant_id: str | None
    customer_id: str | None
    payment_method: str
    currency: str
    network: str
    amount: str
    amount_atomic: str
    fee_charged: str
    network_fee_atomic: str | None
    destination: str
    reference: str | None
    metadata: dict[str, Any]
    status: str
    blocked_reason: str | None
    failure_reason: str | None
    approvals: ApprovalsDocument
    created_by: str
    approved_by: str | None
    rejected_by: str | None
    tx_hash: str | None
    network_fee: str | None
    batch_id: str | None
    batch_index: int | None
    invoice_id: str | None
    refund_kind: str | None
    created_at: datetime
    approved_at: datetime | None
    completed_at: datetime | None


def withdrawal_document(
    withdrawal: Withdrawal, currency: Currency, native: Currency
) -> WithdrawalDocument:
    """Shape one withdrawal; `native` is the coin in which its network takes fees."""
    fee = withdrawal.network_fee_units
    return WithdrawalDocument(
        id=withdrawal.id,
        object="withdrawal",
        livemode=withdrawal.livemode,
        merchant_id=withdrawal.merchant_id,
        customer_id=withdrawal.customer_id,
        payment_method=currency.id,
        currency=currency.code,
        network=withdrawal.network_id,
        amount=to_text(withdrawal.units, currency.decimals),
        amount_atomic=str(withdrawal.units),
        fee_charged=to_text(withdrawal.fee_units, currency.decimals),
        network_fee_atomic=None if fee is None else str(fee),
        destination=display(withdrawal.destination),
        reference=withdrawal.reference,
        metadata=withdrawal.metadata_,
        status=withdrawal.status,
        blocked_reason=withdrawal.blocked_reason,
        failure_reason=withdrawal.failure_reason,
        approvals=_approvals(withdrawal),
        created_by=withdrawal.created_by,
        approved_by=withdrawal.approved_by,
        rejected_by=withdrawal.rejected_by,
        tx_hash=withdrawal.tx_hash,
        network_fee=None if fee is None else to_text(fee, native.decimals),
        batch_id=withdrawal.batch_id,
        batch_index=withdrawal.batch_index,
        invoice_id=withdrawal.invoice_id,
        refund_kind=withdrawal.refund_kind,
        created_at=withdrawal.created_at,
        approved_at=withdrawal.approved_at,
        completed_at=withdrawal.completed_at,
    )


def _approvals(withdrawal: Withdrawal) -> ApprovalsDocument:
    if withdrawal.approvals_need is not None:
        return ApprovalsDocument(
            have=withdrawal.approvals_have or 0, need=withdrawal.approvals_need
        )
    have = 0 if withdrawal.approved_by is None else 1
    return ApprovalsDocument(have=have, need=APPROVALS_NEEDED)
