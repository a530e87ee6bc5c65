"""Reading orders, and a person's yes or no. Every proof is checked before it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.approvals import repository
from gateway.approvals.credentials import ACTOR
from gateway.approvals.documents import OrderDocument, Paid, Told, order_document
from gateway.approvals.proofs import Proof, holds, order_of
from gateway.approvals.repository import WAITING, Sight, milliseconds
from gateway.audit.noting import Noting
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Forbidden, Invalid
from gateway.domain.moment import Moment
from gateway.domain.policy import (
    Payout,
    PolicyApprover,
    Standing,
    approvers_from,
    rules_from,
    standing,
)
from gateway.models import (
    Approval,
    ApprovalOrder,
    OrderRefusal,
    PolicySnapshot,
    Withdrawal,
)
from gateway.paging import PageRequest, Slice
from gateway.withdrawals.repository import currencies_of


@dataclass(frozen=True, slots=True)
class Case(Noting):
    """What every use case needs: the transaction, who acts, the moment."""

    session: AsyncSession
    actor: Actor
    moment: Moment

    @property
    def approver(self) -> str | None:
        """Return the approver's name; None on an operator's key."""
        key_id = self.actor.key_id
        return key_id.removeprefix(ACTOR) if key_id.startswith(ACTOR) else None


async def waiting(case: Case, page: PageRequest) -> tuple[Slice[ApprovalOrder], list[Told]]:
    """Return one page of the orders that wait for somebody, with everything about them."""
    published = await repository.snapshots(case.session)
    sight = await _sight(case, published)
    found = await repository.order_page(case.session, page, sight, at=case.moment.at)
    return found, await _told(case, found.rows, published)


async def show(case: Case, order_id: str) -> OrderDocument:
    """Return one order, whatever became of it."""
    return order_document(await _one(case, order_id))


async def approve(case: Case, order_id: str, proof: Proof) -> OrderDocument:
    """Keep a person's proof; the same person's second one changes nothing."""
    told = await _one(case, order_id)
    _require_open(told)
    approver = await _known(case, told.row.network_id, proof.approver)
    if case.approver not in {None, proof.approver}:
        raise Forbidden("a proof of somebody else", code="not_your_proof")
    if approver.asked(told.row.requested_by):
        raise Forbidden("nobody approves his own request", code="own_request")
    if not holds(proof, approver, order_of(told.row)):
        raise Invalid.field("/proof", "bad_approval", "the proof does not fit this order")
    stored = msgspec.to_builtins(proof)
    fresh = await repository.add_once(
        case.session,
        Approval,
        order_id=order_id,
        approver=proof.approver,
        proof=stored,
        at=case.moment.at,
    )
    if fresh:
        await _note(case, "approval.given", told, {"approver": proof.approver})
    return await show(case, order_id)


async def refuse(
    case: Case, order_id: str, reason: str, evidence: Mapping[str, Any]
) -> OrderDocument:
    """Close an order with one person's no; the network's watcher rejects the withdrawal.

    `evidence` is the request that was signed. Only what is not begun can be refused.
    """
    name = case.approver
    if name is None:
        raise Forbidden("only an approver's own signature refuses", code="approver_required")
    told = await _one(case, order_id)
    if told.refusal is None:
        _require_open(told)
        if told.withdrawal.status != "approved":
            raise Conflict("the payment is begun", code="order_not_open")
    said = {"approver": name, "reason": reason, "proof": dict(evidence), "at": case.moment.at}
    try:
        await repository.add_once(case.session, OrderRefusal, order_id=order_id, **said)
    except IntegrityError as late:
        # The row lock was the payer's: it began the payment while we looked.
        raise Conflict("the payment is begun", code="order_not_open") from late
    if told.refusal is None:
        await _note(case, "approval.refused", told, {"approver": name, "reason": reason})
    return await show(case, order_id)


async def _one(case: Case, order_id: str) -> Told:
    published = await repository.snapshots(case.session)
    sight = await _sight(case, published)
    row = await repository.order_with(case.session, order_id, sight)
    [told] = await _told(case, [row], published)
    return told


def _require_open(told: Told) -> None:
    if told.status not in {"waiting", "approved"}:
        raise Conflict(f"this order is {told.status}", code="order_not_open")


async def _sight(case: Case, published: Mapping[str, PolicySnapshot]) -> Sight:
    """Return whose orders the caller may see: a merchant's own system sees that merchant's."""
    name = case.approver
    if name is None:
        mode = case.actor.livemode
        networks = await repository.networks_of_mode(case.session, livemode=mode)
        return dict.fromkeys(networks)
    known = {
        network: approvers_from(snapshot.approvers).get(name)
        for network, snapshot in published.items()
    }
    return {network: each.merchant for network, each in known.items() if each is not None}


async def _known(case: Case, network: str, name: str) -> PolicyApprover:
    snapshot = await repository.snapshot_of(case.session, network)
    known = {} if snapshot is None else approvers_from(snapshot.approvers)
    if name not in known:
        raise Forbidden(f"the policy of {network} names no such approver", code="no_approver")
    return known[name]


async def _told(
    case: Case, rows: Sequence[ApprovalOrder], published: Mapping[str, PolicySnapshot]
) -> list[Told]:
    session = case.session
    withdrawals = await repository.withdrawals_of(session, [row.withdrawal_id for row in rows])
    currencies = await currencies_of(session, withdrawals.values())
    proofs = await repository.approvals_of(session, [row.id for row in rows])
    refusals = await repository.refusals_of(session, [row.id for row in rows])
    told = []
    for row in rows:
        withdrawal = withdrawals[row.withdrawal_id]
        currency, native = currencies[withdrawal.currency_id]
        snapshot = published.get(row.network_id)
        found = _standing(snapshot, row, proofs[row.id])
        refusal = refusals.get(row.id)
        name, entry, paid = await _merchant(session, withdrawal)
        told.append(
            Told(
                row=row,
                withdrawal=withdrawal,
                currency=currency,
                native=native,
                merchant_name=name,
                approvals=proofs[row.id],
                refusal=refusal,
                standing=found,
                entry=entry,
                paid=paid,
                status=_status(case, row, withdrawal, refusal, found),
                own=_own(case, snapshot, row),
            )
        )
    return told


async def _merchant(
    session: AsyncSession, withdrawal: Withdrawal
) -> tuple[str | None, Any, Paid]:
    """Return what only the merchant's own tenant knows: name, address book, payments before."""
    if withdrawal.merchant_id is None:
        return None, None, await repository.paid_before(session, withdrawal)
    async with acting_for(session, withdrawal.merchant_id):
        name = await repository.merchant_name(session, withdrawal.merchant_id)
        entry = await repository.book_entry(session, withdrawal)
        return name, entry, await repository.paid_before(session, withdrawal)


def _standing(
    snapshot: PolicySnapshot | None, row: ApprovalOrder, proofs: Sequence[Approval]
) -> Standing | None:
    if snapshot is None:
        return None
    payout = Payout(row.asset, row.destination, row.units, row.merchant_id or "")
    proved = frozenset(each.approver for each in proofs)
    return standing(rules_from(snapshot.rules), payout, proved)


def _status(
    case: Case,
    row: ApprovalOrder,
    withdrawal: Withdrawal,
    refusal: OrderRefusal | None,
    found: Standing | None,
) -> str:
    if refusal is not None:
        return "refused"
    if withdrawal.status not in WAITING:
        return "ended"
    if row.expires_ms <= milliseconds(case.moment.at):
        return "expired"
    return "approved" if found is not None and found.allowed else "waiting"


def _own(case: Case, snapshot: PolicySnapshot | None, row: ApprovalOrder) -> bool:
    if case.approver is None or snapshot is None:
        return False
    approver = approvers_from(snapshot.approvers).get(case.approver)
    return approver is not None and approver.asked(row.requested_by)


async def _note(case: Case, action: str, told: Told, after: Mapping[str, Any]) -> None:
    about = {"order_id": told.row.id, "revision": told.row.revision, **after}
    await case.note(action, told.row.withdrawal_id, about)
