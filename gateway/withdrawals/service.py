"""The merchant's gate: approve, reject, cancel. The row lock comes first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.repository import behind
from gateway.address_book.service import require_listed
from gateway.audit.noting import Noting
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Forbidden
from gateway.domain.moment import Moment
from gateway.domain.withdrawal import may_approve, may_move
from gateway.models import Currency, Withdrawal
from gateway.withdrawals.documents import WithdrawalDocument, withdrawal_document
from gateway.withdrawals.moves import move
from gateway.withdrawals.repository import native_currency, withdrawal_of


@dataclass(frozen=True, slots=True)
class Gate(Noting):
    """What every use case needs: the transaction, who asks, the moment."""

    session: AsyncSession
    actor: Actor
    moment: Moment

    async def locked(self, withdrawal_id: str) -> Withdrawal:
        """Return the actor's withdrawal with its row lock."""
        return await withdrawal_of(
            self.session,
            self.actor.tenant,
            withdrawal_id,
            livemode=self.actor.livemode,
            lock=True,
        )


async def approve(gate: Gate, withdrawal_id: str) -> WithdrawalDocument:
    """Let a pending withdrawal go; not by who asked for it, unless below the limit.

    A key and whoever made it are one: nobody is two by making keys.
    """
    row = await gate.locked(withdrawal_id)
    _require_move(row, "approved")
    currency = await gate.session.get_one(Currency, row.currency_id)
    if not may_approve(
        creator=await behind(gate.session, row.created_by),
        approver=await behind(gate.session, gate.actor.key_id),
        units=row.units,
        automatic_below_units=currency.automatic_approval_below_units,
    ):
        raise Forbidden("a key cannot approve its own request of this size", code="own_request")
    # The book may have been closed since it was asked for.
    await require_listed(gate.session, gate.actor, row.network_id, row.destination, gate.moment)
    row.approved_by = gate.actor.key_id
    row.approved_at = gate.moment.at
    return await _moved(gate, row, "approved", {"approved_by": row.approved_by})


async def reject(gate: Gate, withdrawal_id: str, reason: str | None) -> WithdrawalDocument:
    """Refuse a withdrawal before it is signed; its hold is released."""
    row = await gate.locked(withdrawal_id)
    _require_move(row, "rejected")
    row.rejected_by = gate.actor.key_id
    row.failure_reason = reason
    return await _moved(gate, row, "rejected", {"reason": reason})


async def cancel(gate: Gate, withdrawal_id: str) -> WithdrawalDocument:
    """Take a request back before it is signed; its hold is released."""
    row = await gate.locked(withdrawal_id)
    _require_move(row, "canceled")
    return await _moved(gate, row, "canceled", {})


def _require_move(row: Withdrawal, status: str) -> None:
    if not may_move(row.status, status):
        raise Conflict(
            f"a withdrawal that is {row.status} cannot become {status}",
            code="withdrawal_not_open",
        )


async def _moved(
    gate: Gate, row: Withdrawal, status: str, after: Mapping[str, Any]
) -> WithdrawalDocument:
    before = {"status": row.status}
    await move(gate.session, row, status, gate.moment)
    await gate.note(f"withdrawal.{status}", row.id, {"status": status, **after}, before=before)
    return await shaped(gate.session, row)


async def shaped(session: AsyncSession, row: Withdrawal) -> WithdrawalDocument:
    """Return the row as the world sees it."""
    currency = await session.get_one(Currency, row.currency_id)
    return withdrawal_document(row, currency, await native_currency(session, row.network_id))
