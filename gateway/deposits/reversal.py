"""Taking back a final deposit that its chain no longer has: for the operator at the machine.

Every entry has its inverse: what was credited, the house's fee, the commissions. What waits to be
paid out is called back first. What has been paid out already cannot be taken back; it is missing
in suspense, where it shows.
"""

from gateway.deposits import places
from gateway.deposits.announcements import announce, announce_balances
from gateway.deposits.attribution import ref_of
from gateway.deposits.service import Desk, judge
from gateway.domain import posting
from gateway.domain.errors import Conflict, NotFound
from gateway.invoices import repository as invoices
from gateway.invoices.standing import NO_HEADS
from gateway.ledger.repository import Holder, left_of
from gateway.ledger.service import post
from gateway.models import Deposit
from gateway.referrals.reversal import reverse_shares, take_off
from gateway.withdrawals.recall import recall

REVERSED = "reversed"
"""Reason of a deposit that was final and is no more; a later sighting does not bring it back."""
MARKED = "marked"
"""A person has decided about the invoice: no payment, and none that goes, changes that."""
CREDITED = ("invoice", "customer", "merchant")


async def reverse(desk: Desk, deposit_id: str, *, reason: str = REVERSED) -> Deposit:
    """Reverse a confirmed deposit that was credited to somebody; return it.

    `reason` is what its row says from then on.
    """
    session, moment = desk.session, desk.moment
    deposit = await session.get(Deposit, deposit_id)
    if deposit is None:
        raise NotFound(f"there is no deposit {deposit_id[:64]}")
    # Invoices are locked before deposits and wallets: one lock order everywhere.
    paid = [] if deposit.invoice_id is None else [deposit.invoice_id]
    locked = await invoices.locked_many(session, paid)
    await session.refresh(deposit, with_for_update=True)
    if deposit.status != "confirmed" or deposit.purpose not in CREDITED:
        raise Conflict(f"deposit {deposit.id} is not credited to anybody", code="not_credited")
    waiting = bool(await places.in_suspense(session, [deposit]))
    short = 0 if waiting else await _short(desk, deposit, deposit.customer_id, _owed(deposit))
    unpaid = await reverse_shares(session, deposit, short, moment, waiting=waiting)
    if deposit.customer_id is not None:
        await _short(desk, deposit, None, short)  # a merchant answers for its customer
    await _take_back(desk, deposit, waiting=waiting)
    deposit.status, deposit.reason = "rejected", reason
    for invoice in locked.values():
        invoice.final = invoice.exception == MARKED
    await session.flush()
    await announce(session, [deposit], "deposit.reorged", moment)
    await announce_balances(session, [deposit], moment)
    await judge(desk, locked, "an operator reversed a payment", NO_HEADS)
    await take_off(session, unpaid)
    return deposit


def _owed(deposit: Deposit) -> int:
    """Return what its owner was credited."""
    return deposit.units - deposit.fee_units


async def _short(desk: Desk, deposit: Deposit, customer_id: str | None, needed: int) -> int:
    """Call back what the customer, or the merchant, asked for; return what is still not there."""
    holder = Holder(deposit.merchant_id or "", customer_id)
    left = await recall(
        desk.session,
        holder,
        deposit.currency_id,
        needed,
        deposit_id=deposit.id,
        moment=desk.moment,
    )
    return max(needed - left, 0)


async def _take_back(desk: Desk, deposit: Deposit, *, waiting: bool) -> None:
    """Post the inverse of what was credited and of the fee."""
    account = deposit.customer_id or deposit.merchant_id or posting.SUSPENSE
    if waiting:
        account = posting.SUSPENSE
    left = await left_of(desk.session, account, deposit.currency_id)
    surety = None
    if deposit.customer_id is not None and deposit.merchant_id is not None and not waiting:
        # What a merchant charged its customer is the merchant's to give back.
        there = await left_of(desk.session, deposit.merchant_id, deposit.currency_id)
        surety = deposit.merchant_id, there
    credit = posting.Credit(
        account,
        deposit.currency_id,
        _owed(deposit),
        left,
        ((posting.CUSTODY, deposit.units), (posting.REVENUE, -deposit.fee_units)),
        surety,
    )
    merchant = None if waiting else deposit.merchant_id
    await post(desk.session, posting.reversal(ref_of(deposit), merchant, credit), desk.moment)
