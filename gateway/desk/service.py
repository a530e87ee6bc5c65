"""Asking for and deciding about money that is nobody's; never the same key for both.

Nothing moves here: the network's watcher carries out what was approved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.repository import are_one
from gateway.address_book.payable import payable
from gateway.audit.noting import Noting
from gateway.db import acting_for
from gateway.desk import beside, repository
from gateway.desk.documents import ResolutionDocument
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.domain.moment import Moment
from gateway.invoices.repository import invoice_of, options_of
from gateway.merchants.repository import merchant_of
from gateway.models import Currency, Deposit, Network, Resolution

UNLISTED = "it is in no ledger: list its asset, then `watchers rescan` its block"
BESIDE = "it is in no ledger: it lies in an account that no sweep reaches; "


@dataclass(frozen=True, slots=True)
class Case(Noting):
    """What every use case needs: the transaction, which operator acts, the moment."""

    session: AsyncSession
    actor: Actor
    moment: Moment


async def request_assignment(
    case: Case, deposit_id: str, merchant_id: str, invoice_id: str | None, reason: str
) -> ResolutionDocument:
    """Ask that a final deposit be a merchant's, or count for one of its invoices."""
    deposit, currency, network = await _resolvable(case, deposit_id)
    async with acting_for(case.session, merchant_id):
        await _require_receiver(case, merchant_id, invoice_id, currency)
    asked = {"kind": "assign", "merchant_id": merchant_id, "invoice_id": invoice_id}
    return await _requested(case, deposit, network, {**asked, "reason": reason})


async def request_refund(
    case: Case, deposit_id: str, destination: str, reason: str
) -> ResolutionDocument:
    """Ask that the whole of a final deposit be paid out to an address that is not ours."""
    deposit, currency, network = await _resolvable(case, deposit_id)
    if currency.fee_on_transfer:
        raise Conflict("the token keeps a part of every transfer", code="fee_on_transfer")
    address = await payable(case.session, network, destination)
    asked = {"kind": "refund", "destination": address, "reason": reason}
    return await _requested(case, deposit, network, asked)


async def decide(
    case: Case, resolution_id: str, reason: str, *, approve: bool
) -> ResolutionDocument:
    """Approve or reject what another operator asked for."""
    session, actor = case.session, case.actor
    row = await repository.resolution_of(session, resolution_id, livemode=actor.livemode)
    if await are_one(session, actor.key_id, row.requested_by):
        raise Forbidden("nobody decides about a request of their own", code="own_request")
    status = "approved" if approve else "rejected"
    ended = {} if approve else {"failure_reason": reason, "ended_at": case.moment.at}
    decided = await session.scalar(
        update(Resolution)
        .where(Resolution.id == row.id, Resolution.status == "pending")
        .values(status=status, decided_by=actor.key_id, decided_at=case.moment.at, **ended)
        .returning(Resolution.id)
        .execution_options(synchronize_session=False)
    )
    if decided is None:
        raise Conflict(f"this request is {row.status}", code="resolution_not_open")
    before = {"status": "pending"}
    after = {"status": status, "deposit_id": row.deposit_id, "reason": reason}
    await case.note(f"resolution.{status}", row.id, after, before=before)
    row = await repository.resolution_of(session, resolution_id, livemode=actor.livemode)
    [document] = await repository.shaped(session, [row])
    return document


async def _resolvable(case: Case, deposit_id: str) -> tuple[Deposit, Currency, Network]:
    """Return a final deposit of nobody; strays and what is not final cannot be resolved."""
    try:
        deposit, currency, network = await repository.nobodys(
            case.session, deposit_id, livemode=case.actor.livemode
        )
    except NotFound:
        stray = await repository.stray_of(case.session, deposit_id)
        if stray is None:
            raise
        reason, by_wallet = stray
        detail = _way_out(reason, by_wallet=by_wallet)
        raise Conflict(detail, code="not_in_ledger") from None
    if deposit.purpose != "unattributed":
        raise Conflict(f"its purpose is {deposit.purpose}", code="deposit_not_open")
    if deposit.status != "confirmed":
        raise Conflict(f"the deposit is {deposit.status}", code="deposit_not_final")
    return deposit, currency, network


def _way_out(reason: str, *, by_wallet: bool) -> str:
    """Say what is left to do about a stray, by its reason and by who holds it."""
    if reason != "account_not_canonical":
        return UNLISTED
    return BESIDE + (beside.STAYS if by_wallet else beside.GATHER)


async def _require_receiver(
    case: Case, merchant_id: str, invoice_id: str | None, currency: Currency
) -> None:
    """Refuse a merchant or an invoice that cannot take the deposit, by field."""
    try:
        await merchant_of(case.session, merchant_id)
    except NotFound as fault:
        raise Invalid.field("/merchant_id", "unknown_merchant", fault.detail) from fault
    if invoice_id is None:
        return
    try:
        invoice = await invoice_of(
            case.session, merchant_id, invoice_id, livemode=case.actor.livemode
        )
    except NotFound as fault:
        raise Invalid.field("/invoice_id", "unknown_invoice", fault.detail) from fault
    options = (await options_of(case.session, [invoice.id]))[invoice.id]
    if currency.id not in {option.currency.id for option in options}:
        raise Invalid.field(
            "/invoice_id", "wrong_asset", f"this invoice is not payable in {currency.id}"
        )


async def _requested(
    case: Case, deposit: Deposit, network: Network, asked: Mapping[str, Any]
) -> ResolutionDocument:
    values = {
        "id": case.moment.id("res"),
        "deposit_id": deposit.id,
        "network_id": network.id,
        "status": "pending",
        "requested_by": case.actor.key_id,
        "created_at": case.moment.at,
        **asked,
    }
    if not await repository.add_unless_live(case.session, values):
        raise Conflict(
            "something is decided or asked about it already", code="already_requested"
        )
    row = await repository.resolution_of(
        case.session, str(values["id"]), livemode=case.actor.livemode
    )
    after = {"deposit_id": deposit.id, **asked}
    await case.note("resolution.requested", row.id, after)
    [document] = await repository.shaped(case.session, [row])
    return document
