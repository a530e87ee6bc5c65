"""Many payouts in one call: each its own withdrawal with its own hold, each with its own answer.

One that is refused leaves no trace and stops nobody else; what stands is never all or nothing
without saying so.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Conflict, FieldFault, Refusal
from gateway.models import Withdrawal, WithdrawalBatch
from gateway.paging import PageRequest, Slice, made_between, newest_first, sole
from gateway.withdrawals.batch_documents import (
    BatchDocument,
    BatchResult,
    batch_document,
    item_problem,
)
from gateway.withdrawals.destinations import (
    UNASKED,
    UNHEARD,
    UNLOOKED,
    Finding,
    require_receiver,
)
from gateway.withdrawals.documents import WithdrawalDocument
from gateway.withdrawals.request import Origin, Payout, request_withdrawal
from gateway.withdrawals.service import Gate

Act = Callable[[Gate, str], Awaitable[WithdrawalDocument]]


async def request_batch(
    gate: Gate,
    payouts: Sequence[Payout],
    findings: Sequence[Finding | None],
) -> BatchDocument:
    """Ask for each payout; a balance goes to those that come first.

    One that its network says nothing of is refused by itself, and may be asked for again under
    another key. Where nobody says anything of any, all is refused: the same key works again.
    """
    require_heard(findings)
    batch = WithdrawalBatch(
        id=gate.moment.id("wba"),
        merchant_id=gate.actor.tenant,
        livemode=gate.actor.livemode,
        items=len(payouts),
        created_by=gate.actor.key_id,
        created_at=gate.moment.at,
    )
    gate.session.add(batch)
    await gate.session.flush()
    results = []
    # One wallet after the other, each in the order asked: wallets are locked in one order
    # everywhere, or two batches could wait for each other.
    for index in sorted(range(len(payouts)), key=lambda each: _wallet(payouts[each])):
        origin = Origin(batch_id=batch.id, batch_index=index)
        try:
            async with gate.session.begin_nested():
                made = await request_withdrawal(gate, payouts[index], findings[index], origin)
            results.append(BatchResult(index=index, withdrawal=made))
        except Refusal as refusal:
            placed = _placed(refusal, index)
            results.append(BatchResult(index=index, problem=item_problem(placed)))
    asked = sum(each.withdrawal is not None for each in results)
    await gate.note(
        "withdrawal_batch.created", batch.id, {"items": len(payouts), "asked": asked}
    )
    return batch_document(batch, results)


async def act_on_batch(gate: Gate, batch_id: str, act: Act) -> BatchDocument:
    """Do one thing to every withdrawal of the batch that is still open to it, one by one."""
    batch = await batch_of(gate, batch_id)
    query = (
        select(Withdrawal.id, Withdrawal.batch_index)
        .where(Withdrawal.batch_id == batch.id)
        .order_by(Withdrawal.customer_id, Withdrawal.currency_id, Withdrawal.batch_index)
    )
    rows = (await gate.session.execute(query)).all()
    if not rows:
        raise Conflict("no withdrawal of this batch was accepted", code="batch_empty")
    results = []
    for withdrawal_id, place in rows:
        index = place or 0
        try:
            async with gate.session.begin_nested():
                moved = await act(gate, withdrawal_id)
            results.append(BatchResult(index=index, withdrawal=moved))
        except Refusal as refusal:
            results.append(
                BatchResult(
                    index=index, withdrawal_id=withdrawal_id, problem=item_problem(refusal)
                )
            )
    return batch_document(batch, results)


async def batch_of(gate: Gate, batch_id: str) -> WithdrawalBatch:
    """Return the actor's batch; raise `NotFound` where there is none."""
    query = select(WithdrawalBatch).where(
        WithdrawalBatch.id == batch_id,
        WithdrawalBatch.merchant_id == gate.actor.tenant,
        WithdrawalBatch.livemode == gate.actor.livemode,
    )
    return await sole(gate.session, query, "withdrawal batch", batch_id)


async def batch_page(
    gate: Gate, page: PageRequest, wanted: Mapping[str, Any]
) -> Slice[WithdrawalBatch]:
    """Return one page of the actor's batches."""
    query = select(WithdrawalBatch).where(
        WithdrawalBatch.merchant_id == gate.actor.tenant,
        WithdrawalBatch.livemode == gate.actor.livemode,
    )
    query = made_between(query, WithdrawalBatch.id, WithdrawalBatch.created_at, wanted, "wba")
    return await newest_first(gate.session, query, WithdrawalBatch.id, page)


async def statuses_of(
    session: AsyncSession, batches: Iterable[WithdrawalBatch]
) -> dict[str, dict[str, int]]:
    """Return, by the batch's id, how many of its withdrawals are in each state."""
    found: dict[str, dict[str, int]] = {batch.id: {} for batch in batches}
    query = (
        select(WithdrawalBatch.id, Withdrawal.status, func.count())
        .join(Withdrawal, Withdrawal.batch_id == WithdrawalBatch.id)
        .where(WithdrawalBatch.id.in_(found))
        .group_by(WithdrawalBatch.id, Withdrawal.status)
        .order_by(Withdrawal.status)
    )
    for batch_id, status, count in await session.execute(query):
        found[batch_id][status] = int(count)
    return found


def require_heard(findings: Sequence[Finding | None]) -> None:
    """Raise `Unavailable` where nobody answers for any item, `TooMany` for what was not asked."""
    if UNASKED in findings:
        require_receiver(UNASKED)
    asked = [finding for finding in findings if finding is not UNLOOKED]
    if asked and all(finding is UNHEARD for finding in asked):
        require_receiver(UNHEARD)


def _wallet(payout: Payout) -> tuple[bool, str, str]:
    """Return what orders payouts by the wallet they take from: customers first, as in the ledger."""
    return (payout.customer_id is None, payout.customer_id or "", payout.payment_method)


def _placed(refusal: Refusal, index: int) -> Refusal:
    """Point into the body of the batch."""
    faults = [
        FieldFault(f"/items/{index}{fault.pointer}", fault.code, fault.detail)
        for fault in refusal.faults
    ]
    placed = Refusal(refusal.detail, code=refusal.code, faults=faults)
    placed.status = refusal.status
    return placed
