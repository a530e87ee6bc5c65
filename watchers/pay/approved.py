"""What people approved, carried to the keystore; and what a payout still waits for."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.approvals import proofs, repository
from gateway.approvals.proofs import order_of
from gateway.domain.policy import (
    Payout,
    PolicyApprover,
    Standing,
    approvers_from,
    rules_from,
    standing,
)
from gateway.models import Approval as ApprovalRow
from gateway.models import Currency, OrderRefusal, PolicySnapshot, Withdrawal
from keystore.api import Approval, Order
from watchers.chain import asset_key, asset_of
from watchers.clock import now


@dataclass(frozen=True, slots=True)
class Word:
    """What people have said about one withdrawal so far. `order` is absent before it is asked."""

    order: Order | None = None
    approvals: tuple[Approval, ...] = ()
    refusal: OrderRefusal | None = None

    @property
    def approvers(self) -> frozenset[str]:
        """Return who gave a proof."""
        return frozenset(each.approver for each in self.approvals)


async def proofs_of(
    session: AsyncSession, withdrawal_id: str
) -> tuple[Order | None, list[Approval]]:
    """Return the order that people approved and their proofs, as the keystore takes them.

    (None, []) where nobody was asked, or the order has expired. Nothing here is believed: the
    keystore compares the order with the payment and proves every proof.
    """
    word = await word_on(session, withdrawal_id, now().at)
    return word.order, list(word.approvals)


async def word_on(session: AsyncSession, withdrawal_id: str, at: datetime) -> Word:
    """Read the newest order of a withdrawal, unless it has expired, with what was said to it.

    Proofs of people whom the policy no longer names are left out, and false ones beside true ones.
    """
    row = await repository.newest_order(session, withdrawal_id)
    if row is None:
        return Word()
    refusal = (await repository.refusals_of(session, [row.id])).get(row.id)
    if row.expires_ms <= repository.milliseconds(at):
        return Word(refusal=refusal)
    snapshot = await repository.snapshot_of(session, row.network_id)
    known = {} if snapshot is None else approvers_from(snapshot.approvers)
    asked = order_of(row)
    rows = (await repository.approvals_of(session, [row.id]))[row.id]
    named = [each for each in rows if each.approver in known]
    # A false proof would spoil the true ones; where none is true the keystore says why.
    true = [each for each in named if _holds(each, known[each.approver], asked)]
    given = [proof for each in true or named if (proof := _read(each)) is not None]
    return Word(Order(**msgspec.structs.asdict(asked)), tuple(given), refusal)


def _holds(row: ApprovalRow, approver: PolicyApprover, asked: proofs.Order) -> bool:
    """Tell whether a proof is one, by the policy as it is published."""
    try:
        proof = msgspec.convert(row.proof, proofs.Proof)
    except msgspec.ValidationError:
        return False
    return proof.approver == row.approver and proofs.holds(proof, approver, asked)


def _read(row: ApprovalRow) -> Approval | None:
    """Read a proof as the keystore takes it; None for what somebody wrote past the API."""
    try:
        proof: Approval = msgspec.convert(row.proof, Approval)
    except msgspec.ValidationError:
        return None
    return proof


def stands(
    snapshot: PolicySnapshot | None, withdrawal: Withdrawal, currency: Currency, word: Word
) -> Standing | None:
    """Return which rule the payout meets and how many proofs it has and needs; None without one."""
    if snapshot is None:
        return None
    payout = Payout(
        asset=asset_of(currency),
        to=asset_key(withdrawal.destination),
        units=withdrawal.units,
        merchant=withdrawal.merchant_id or "",
    )
    return standing(rules_from(snapshot.rules), payout, word.approvers)


async def reason_against(session: AsyncSession, withdrawal: Withdrawal) -> str | None:
    """Return why the keystore would not sign this payout now, as far as its policy is published.

    An intent that is refused holds back those behind it, so it is not begun.
    """
    word = await word_on(session, withdrawal.id, now().at)
    if word.refusal is not None:
        return f"refused by {word.refusal.approver}: {word.refusal.reason}"
    snapshot = await repository.snapshot_of(session, withdrawal.network_id)
    currency = await session.get_one(Currency, withdrawal.currency_id)
    found = stands(snapshot, withdrawal, currency, word)
    if found is None or found.allowed:
        return None
    if found.kind == "block":
        return "the keystore's policy does not allow this payment"
    return f"waits for approvals: {found.have} of {found.need}"
