"""Carrying out what operators decided, as the network's watcher, in its transaction.

Every step may be repeated: rows are locked, statuses are looked at again, journals are unique.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import checked
from gateway.deposits.announcements import tell
from gateway.deposits.attribution import ref_of
from gateway.deposits.fees import charge
from gateway.deposits.service import Desk, judge
from gateway.desk.ending import NOT_OPEN, end, locked, note
from gateway.desk.ours import is_ours
from gateway.desk.turning import follow_turned
from gateway.domain import posting
from gateway.invoices import repository as invoices
from gateway.invoices.standing import NO_HEADS
from gateway.ledger.service import post
from gateway.models import Deposit, Network, Resolution, Withdrawal

AT_ONCE = 20
ENDED = {"completed": "done", "failed": "failed", "rejected": "failed", "canceled": "failed"}
NOT_SIGNED = "the keystore did not sign the row of its address: put that right first"


async def carry_out(desk: Desk, network: str, public_key: str) -> bool:
    """Carry out approved resolutions and end those whose refund ended; tell whether any moved.

    `public_key` is the keystore's: what lies at an address that it did not sign may be anybody's,
    and is paid to nobody.
    """
    turned = await follow_turned(desk, network)
    approved = await _open(desk.session, network, "approved")
    for resolution in approved:
        if await is_ours(desk.session, resolution.deposit_id, public_key):
            await _begun(desk, resolution)
        else:
            await end(desk, resolution, "failed", NOT_SIGNED)
    paying = await _open(desk.session, network, "paying")
    ended = [await _follow(desk, resolution) for resolution in paying]
    return turned or bool(approved) or any(ended)


async def _begun(desk: Desk, resolution: Resolution) -> None:
    """Carry out one resolution; one that the ledger refuses fails alone."""
    session, resolution_id = desk.session, resolution.id
    try:
        async with checked(session):
            await (_assign if resolution.kind == "assign" else _pay)(desk, resolution)
    except IntegrityError as refusal:
        words = str(refusal.orig).splitlines()[0]
        refused = await session.get_one(Resolution, resolution_id, populate_existing=True)
        await end(desk, refused, "failed", f"the ledger refuses it: {words}"[:300])


async def _open(session: AsyncSession, network: str, status: str) -> Sequence[Resolution]:
    query = (
        select(Resolution)
        .where(Resolution.network_id == network, Resolution.status == status)
        .order_by(Resolution.id)
        .limit(AT_ONCE)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).all()


async def _assign(desk: Desk, resolution: Resolution) -> None:
    """Give the deposit to the merchant: its row, the ledger, the invoice, the event."""
    deposit = await locked(desk.session, resolution.deposit_id)
    if deposit.purpose != "unattributed" or deposit.status != "confirmed":
        await end(desk, resolution, "failed", NOT_OPEN)
        return
    if resolution.merchant_id is None:
        raise ValueError(f"resolution {resolution.id} assigns to nobody")
    before = {"purpose": deposit.purpose, "reason": deposit.reason, "merchant_id": None}
    late = False
    if resolution.invoice_id is not None:
        invoice = await invoices.locked(desk.session, resolution.invoice_id)
        late = deposit.block_time > invoice.expires_at
    deposit.purpose = "merchant" if resolution.invoice_id is None else "invoice"
    deposit.reason, deposit.late = None, late
    deposit.merchant_id, deposit.invoice_id = resolution.merchant_id, resolution.invoice_id
    await desk.session.flush()
    ref = ref_of(deposit)
    await charge(desk.session, [deposit])
    entry = posting.assign(
        ref,
        resolution.merchant_id,
        deposit.currency_id,
        deposit.units,
        fee_units=deposit.fee_units,
    )
    if not await post(desk.session, entry, desk.moment):
        raise ValueError(f"deposit {deposit.id} was in suspense and is assigned in the ledger")
    await tell(desk.session, deposit, "deposit.confirmed", desk.moment)
    if resolution.invoice_id is not None:
        reason = "an operator assigned a payment"
        name = "invoice.payment_confirmed"
        await judge(desk, [resolution.invoice_id], reason, NO_HEADS, tell_as=name)
    after = {
        "purpose": deposit.purpose,
        "merchant_id": deposit.merchant_id,
        "invoice_id": deposit.invoice_id,
        "journal": ref,
    }
    await note(desk, resolution, "deposit.assigned", before, after)
    await end(desk, resolution, "done", None)


async def _pay(desk: Desk, resolution: Resolution) -> None:
    """Begin the refund: a withdrawal of nobody, its amount held in suspense."""
    session, moment = desk.session, desk.moment
    deposit = await locked(session, resolution.deposit_id)
    if deposit.purpose != "unattributed" or deposit.status != "confirmed":
        await end(desk, resolution, "failed", NOT_OPEN)
        return
    withdrawal = await _withdrawal(desk, resolution, deposit)
    session.add(withdrawal)
    await session.flush()
    entry = posting.hold(withdrawal.id, None, deposit.currency_id, deposit.units)
    await post(session, entry, moment)
    before = {"purpose": deposit.purpose, "reason": deposit.reason}
    deposit.purpose = "refund"
    resolution.status, resolution.withdrawal_id = "paying", withdrawal.id
    await session.flush()
    after = {"purpose": "refund", "withdrawal_id": withdrawal.id}
    await note(desk, resolution, "deposit.refund_begun", before, after)


async def _withdrawal(desk: Desk, resolution: Resolution, deposit: Deposit) -> Withdrawal:
    network = await desk.session.get_one(Network, deposit.network_id)
    return Withdrawal(
        id=desk.moment.id("wdr"),
        merchant_id=None,
        livemode=not network.test,
        currency_id=deposit.currency_id,
        network_id=deposit.network_id,
        units=deposit.units,
        fee_units=0,
        destination=resolution.destination or "",
        reference=None,
        metadata_={"deposit_id": deposit.id, "resolution_id": resolution.id},
        status="approved",
        created_by=resolution.requested_by,
        approved_by=resolution.decided_by,
        created_at=desk.moment.at,
        approved_at=desk.moment.at,
        updated_at=desk.moment.at,
    )


async def _follow(desk: Desk, resolution: Resolution) -> bool:
    """End a refund with its withdrawal; a failed one leaves the deposit open again."""
    withdrawal = await desk.session.get_one(
        Withdrawal, resolution.withdrawal_id, populate_existing=True
    )
    status = ENDED.get(withdrawal.status)
    if status is None:
        return False
    deposit = await locked(desk.session, resolution.deposit_id)
    before = {"purpose": deposit.purpose, "withdrawal": None}
    if status == "failed":
        deposit.purpose = "unattributed"
    await desk.session.flush()
    after = {
        "purpose": deposit.purpose,
        "withdrawal": withdrawal.status,
        "tx_hash": withdrawal.tx_hash,
    }
    await note(desk, resolution, f"deposit.refund_{status}", before, after)
    await end(desk, resolution, status, withdrawal.failure_reason)
    return True
