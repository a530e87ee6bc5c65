"""What the world sees of a deposit, by itself or inside its invoice."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gateway.domain.addresses import display
from gateway.domain.money import to_text
from gateway.models import Currency, Deposit


class DepositDocument(msgspec.Struct, kw_only=True):
    """One transfer that arrived; `amount` in whole coins, `amount_atomic` in base units.

    `fee` is what the house kept of it when it was credited.
    `matched` says what it counts for: an `invoice`, a `customer` whose address it came to, or `none`.
    `confirmations` are the blocks on it, its own among them; null where it is in none, or nobody knows.
    """

    id: str
    object: str
    status: str
    matched: str
    reason: str | None
    invoice_id: str | None
    customer_id: str | None
    payment_method: str
    currency: str
    network: str
    amount: str
    amount_atomic: str
    fee: str
    fee_atomic: str
    address: str
    sender: str | None
    tx_hash: str
    kind: str
    position: int
    late: bool
    block_height: int
    block_hash: str
    block_time: datetime
    confirmations: int | None
    detected_at: datetime
    confirmed_at: datetime | None


def deposit_document(
    deposit: Deposit, currency: Currency, heads: Mapping[str, int]
) -> DepositDocument:
    """Shape one deposit from its row; `heads` are the newest scanned heights, by network."""
    return DepositDocument(
        id=deposit.id,
        object="deposit",
        status=deposit.status,
        matched=_matched(deposit),
        reason=deposit.reason,
        invoice_id=deposit.invoice_id,
        customer_id=deposit.customer_id,
        payment_method=currency.id,
        currency=currency.code,
        network=deposit.network_id,
        amount=to_text(deposit.units, currency.decimals),
        amount_atomic=str(deposit.units),
        fee=to_text(deposit.fee_units, currency.decimals),
        fee_atomic=str(deposit.fee_units),
        address=display(deposit.address),
        sender=display(deposit.sender) or None,
        tx_hash=deposit.tx_hash,
        kind=deposit.kind,
        position=deposit.ordinal,
        late=deposit.late,
        block_height=deposit.block_height,
        block_hash=deposit.block_hash,
        block_time=deposit.block_time,
        confirmations=confirmations_of(deposit, heads),
        detected_at=deposit.detected_at,
        confirmed_at=deposit.confirmed_at,
    )


def confirmations_of(deposit: Deposit, heads: Mapping[str, int]) -> int | None:
    """Return how many blocks are on a deposit; one was read, though its head may not be told yet."""
    head = heads.get(deposit.network_id)
    if head is None or deposit.status == "reorged":
        return None
    return max(head - deposit.block_height + 1, 1)


def _matched(deposit: Deposit) -> str:
    if deposit.customer_id is not None:
        return "customer"
    return "none" if deposit.invoice_id is None else "invoice"
