"""Every move of a withdrawal: check it, write it, tell the merchant. The row is locked already."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.customers.balance import tell_balance
from gateway.domain import posting
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.domain.withdrawal import may_move
from gateway.ledger.service import post
from gateway.models import Currency, Withdrawal
from gateway.webhooks.outbox import emit
from gateway.withdrawals.documents import withdrawal_document
from gateway.withdrawals.repository import held_units, native_currency

TOLD = {
    "approved": "withdrawal.approved",
    "rejected": "withdrawal.rejected",
    "canceled": "withdrawal.canceled",
    "broadcast": "withdrawal.broadcast",
    "completed": "withdrawal.completed",
    "failed": "withdrawal.failed",
}
REFUND_TOLD = {
    "withdrawal.created": "refund.created",
    "withdrawal.completed": "refund.completed",
}
"""What is told besides of a withdrawal that pays an invoice back."""
RELEASED = ("rejected", "canceled", "failed")


async def move(
    session: AsyncSession, withdrawal: Withdrawal, status: str, moment: Moment
) -> None:
    """Move to `status`, give back the hold where that ends it, and write the event."""
    if not may_move(withdrawal.status, status):
        raise Conflict(f"a withdrawal that is {withdrawal.status} cannot become {status}")
    withdrawal.status = status
    withdrawal.updated_at = moment.at
    withdrawal.blocked_reason = None
    await session.flush()
    if status in RELEASED:
        entry = posting.release(
            withdrawal.id,
            withdrawal.merchant_id,
            withdrawal.currency_id,
            await held_units(session, withdrawal.id),
            customer_id=withdrawal.customer_id,
        )
        await post(session, entry, moment)
        await tell_customer(session, withdrawal, moment)
    if status in TOLD:
        await tell(session, withdrawal, TOLD[status], moment)


async def complete(
    session: AsyncSession, withdrawal: Withdrawal, paid_units: int, moment: Moment
) -> None:
    """Settle a payout that is final on chain: what was paid, and the rest of its hold as the fee.

    Raises `Conflict` where more was paid than the ledger holds for it.
    """
    fee_units = await held_units(session, withdrawal.id) - paid_units
    if fee_units < 0:
        raise Conflict(f"the ledger holds {-fee_units} units less than {withdrawal.id} paid")
    withdrawal.completed_at = moment.at
    entry = posting.settle(
        withdrawal.id,
        withdrawal.merchant_id,
        withdrawal.currency_id,
        paid_units,
        fee_units,
        customer_id=withdrawal.customer_id,
    )
    await post(session, entry, moment)
    await tell_customer(session, withdrawal, moment)
    await move(session, withdrawal, "completed", moment)


async def tell_customer(session: AsyncSession, withdrawal: Withdrawal, moment: Moment) -> None:
    """Say what the customer whose balance pays it has now; nothing where the merchant's own does."""
    customer_id, merchant_id = withdrawal.customer_id, withdrawal.merchant_id
    if customer_id is not None and merchant_id is not None:
        await tell_balance(session, merchant_id, customer_id, withdrawal.currency_id, moment)


async def tell(
    session: AsyncSession, withdrawal: Withdrawal, type_: str, moment: Moment
) -> None:
    """Write one event with the full document, and another one where it pays an invoice back.

    What pays a stray back is no merchant's, so nobody hears of it.
    """
    if withdrawal.merchant_id is None:
        return
    currency = await session.get_one(Currency, withdrawal.currency_id)
    native = await native_currency(session, withdrawal.network_id)
    document = withdrawal_document(withdrawal, currency, native)
    told = [type_]
    if withdrawal.invoice_id is not None and type_ in REFUND_TOLD:
        told.append(REFUND_TOLD[type_])
    for each in told:
        await emit(
            session,
            moment,
            type_=each,
            merchant_id=withdrawal.merchant_id,
            livemode=withdrawal.livemode,
            subject=withdrawal.id,
            data={"object": msgspec.to_builtins(document)},
        )
