"""Asking for a payout, and the merchant's gate: approve, reject, cancel. The row lock comes first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.repository import is_own
from gateway.audit.service import record
from gateway.catalog.repository import offered
from gateway.domain import posting
from gateway.domain.actor import Actor
from gateway.domain.addresses import AddressError, canonical, folded, is_nobody
from gateway.domain.errors import Conflict, Forbidden, Invalid
from gateway.domain.fields import units
from gateway.domain.moment import Moment
from gateway.domain.money import UINT256_MAX
from gateway.domain.withdrawal import may_approve, may_move
from gateway.ledger.service import hold
from gateway.models import Currency, Network, Withdrawal
from gateway.withdrawals.documents import WithdrawalDocument, withdrawal_document
from gateway.withdrawals.moves import move, tell
from gateway.withdrawals.repository import (
    add_unless_referenced,
    native_currency,
    withdrawal_of,
)


@dataclass(frozen=True, slots=True)
class Payout:
    """What is asked for; `amount` in whole coins."""

    payment_method: str
    amount: str
    destination: str
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
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


async def request_withdrawal(gate: Gate, payout: Payout) -> WithdrawalDocument:
    """Check the request, hold amount and fee, and write it down as pending."""
    session, moment = gate.session, gate.moment
    currency, network = await _method(gate, payout.payment_method)
    amount = units("/amount", payout.amount, currency.decimals)
    destination = await payable(session, network, payout.destination)
    values = _row(gate, payout, currency, amount, destination)
    if not await add_unless_referenced(session, values):
        raise Conflict("another withdrawal has this reference", code="reference_already_used")
    held = amount + currency.withdrawal_fee_units
    if held > UINT256_MAX:
        raise Invalid.field("/amount", "insufficient_balance", "nobody has so much")
    entry = posting.hold(values["id"], gate.actor.tenant, currency.id, held)
    await hold(session, entry, moment)
    row = await gate.locked(values["id"])
    await tell(session, row, "withdrawal.created", moment)
    after = {
        "payment_method": currency.id,
        "amount": payout.amount,
        "destination": destination,
        "reference": payout.reference,
    }
    await _note(gate, "withdrawal.created", row.id, after)
    return await _document(session, row)


async def approve(gate: Gate, withdrawal_id: str) -> WithdrawalDocument:
    """Let a pending withdrawal go; not by the key that asked, unless below the limit."""
    row = await gate.locked(withdrawal_id)
    _require_move(row, "approved")
    currency = await gate.session.get_one(Currency, row.currency_id)
    if not may_approve(
        creator=row.created_by,
        approver=gate.actor.key_id,
        units=row.units,
        automatic_below_units=currency.automatic_approval_below_units,
    ):
        raise Forbidden("a key cannot approve its own request of this size", code="own_request")
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
    await _note(
        gate, f"withdrawal.{status}", row.id, {"status": status, **after}, before=before
    )
    return await _document(gate.session, row)


async def _method(gate: Gate, payment_method: str) -> tuple[Currency, Network]:
    for currency, network in await offered(gate.session, test=not gate.actor.livemode):
        if currency.id == payment_method:
            return currency, network
    raise Invalid.field(
        "/payment_method",
        "unknown_payment_method",
        f"{payment_method}: no payment method of this mode",
    )


async def payable(session: AsyncSession, network: Network, text: str) -> str:
    """Return the stored spelling of an address that can be paid, and is not ours."""
    try:
        address = canonical(network.family, text)
    except AddressError as fault:
        raise Invalid.field("/destination", fault.code, fault.detail) from fault
    if is_nobody(address):
        raise Invalid.field(
            "/destination", "burn_address", "nobody has the key of this address"
        )
    if await is_own(session, network.id, address):
        raise Invalid.field(
            "/destination", "own_address", "this address belongs to this gateway"
        )
    if address in await _contracts(session, network):
        raise Invalid.field(
            "/destination", "token_contract", "this is a token's contract, not a wallet"
        )
    return address


async def _contracts(session: AsyncSession, network: Network) -> set[str]:
    """Return the listed token contracts of a network, as addresses are stored."""
    return {
        folded(network.family, currency.contract)
        for currency, of in await offered(session, test=network.test)
        if of.id == network.id and currency.contract is not None
    }


def _row(
    gate: Gate, payout: Payout, currency: Currency, amount: int, destination: str
) -> dict[str, Any]:
    return {
        "id": gate.moment.id("wdr"),
        "merchant_id": gate.actor.tenant,
        "livemode": gate.actor.livemode,
        "currency_id": currency.id,
        "network_id": currency.network_id,
        "units": amount,
        "fee_units": currency.withdrawal_fee_units,
        "destination": destination,
        "reference": payout.reference,
        "metadata_": dict(payout.metadata),
        "status": "pending",
        "blocked_reason": None,
        "failure_reason": None,
        "created_by": gate.actor.key_id,
        "approved_by": None,
        "rejected_by": None,
        "tx_hash": None,
        "network_fee_units": None,
        "created_at": gate.moment.at,
        "approved_at": None,
        "completed_at": None,
        "updated_at": gate.moment.at,
    }


async def _document(session: AsyncSession, row: Withdrawal) -> WithdrawalDocument:
    currency = await session.get_one(Currency, row.currency_id)
    return withdrawal_document(row, currency, await native_currency(session, row.network_id))


async def _note(
    gate: Gate,
    action: str,
    subject: str,
    after: Mapping[str, Any],
    *,
    before: Mapping[str, Any] | None = None,
) -> None:
    await record(
        gate.session,
        gate.actor,
        gate.moment,
        action=action,
        subject=subject,
        before=before,
        after=after,
    )
