"""Asking for a refund: how much may go back is settled under the invoice's row lock.

The database counts again: a refund above what was received is refused there whoever writes it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.fields import units
from gateway.domain.invoice import Asked
from gateway.domain.money import to_text
from gateway.domain.refund import Kind, excess_units, refundable
from gateway.invoices.documents import STANDING, Option
from gateway.invoices.option_documents import asked_of
from gateway.invoices.repository import (
    deposits_of,
    invoice_of,
    options_of,
    rates_before,
    refunds_of,
)
from gateway.models import Deposit, Invoice, InvoiceTimeline
from gateway.withdrawals.destinations import Finding
from gateway.withdrawals.documents import WithdrawalDocument
from gateway.withdrawals.request import Origin, Payout, request_withdrawal
from gateway.withdrawals.service import Gate


@dataclass(frozen=True, slots=True)
class Refund:
    """What is asked for; without an amount it is all that the kind allows."""

    kind: Kind
    destination: str
    reason: str
    amount: str | None = None
    payment_method: str | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


async def request_refund(
    gate: Gate, invoice_id: str, wanted: Refund, finding: Finding | None
) -> WithdrawalDocument:
    """Ask for a withdrawal that pays an invoice back, and note it in the invoice's timeline."""
    session = gate.session
    invoice, payout = await drawn(session, gate.actor, invoice_id, wanted, lock=True)
    origin = Origin(invoice_id=invoice.id, refund_kind=wanted.kind)
    made = await request_withdrawal(gate, payout, finding, origin)
    session.add(
        InvoiceTimeline(
            invoice_id=invoice.id,
            merchant_id=invoice.merchant_id,
            status=invoice.status,
            exception=invoice.exception,
            reason=f"refund {made.id} ({wanted.kind}): {wanted.reason}",
            at=gate.moment.at,
        )
    )
    after = {"withdrawal": made.id, "kind": wanted.kind, "reason": wanted.reason}
    await gate.note("invoice.refund_requested", invoice.id, after)
    return made


async def drawn(
    session: AsyncSession, actor: Actor, invoice_id: str, wanted: Refund, *, lock: bool = False
) -> tuple[Invoice, Payout]:
    """Return the invoice and the payout that a refund of it comes to, as things stand."""
    invoice = await invoice_of(
        session, actor.tenant, invoice_id, livemode=actor.livemode, lock=lock
    )
    deposits = (await deposits_of(session, [invoice.id]))[invoice.id]
    received = _received(deposits, invoice)
    offered = (await options_of(session, [invoice.id]))[invoice.id]
    rates = await rates_before(session, invoice, offered)
    options = {option.currency.id: option for option in offered}
    standing = [deposit for deposit in deposits if deposit.status in STANDING]
    asked = {name: asked_of(each, standing, rates) for name, each in options.items()}
    option = options[
        _method(wanted, {name: received[name] for name in received if name in options})
    ]
    amount = _amount(wanted, option, received, asked, await _refunded(session, invoice))
    payout = Payout(
        payment_method=option.currency.id,
        amount=to_text(amount, option.currency.decimals),
        destination=wanted.destination,
        reference=wanted.reference,
        metadata=wanted.metadata,
    )
    return invoice, payout


def _received(deposits: list[Deposit], invoice: Invoice) -> dict[str, int]:
    """Return the final units per currency that were credited to the invoice's merchant."""
    received: dict[str, int] = {}
    for deposit in deposits:
        if deposit.status == "confirmed" and deposit.merchant_id == invoice.merchant_id:
            before = received.get(deposit.currency_id, 0)
            received[deposit.currency_id] = before + deposit.units
    return received


async def _refunded(session: AsyncSession, invoice: Invoice) -> Counter[str]:
    """Return the units per currency that went back already, or are on their way."""
    refunded = Counter[str]()
    for row, currency in (await refunds_of(session, [invoice.id]))[invoice.id]:
        if row.status not in {"rejected", "canceled", "failed"}:
            refunded[currency.id] += row.units
    return refunded


def _method(wanted: Refund, received: Mapping[str, int]) -> str:
    """Return the currency to pay back in."""
    if not received:
        raise Conflict("nothing final was received for this invoice", code="nothing_to_refund")
    if wanted.payment_method is not None:
        if wanted.payment_method in received:
            return wanted.payment_method
        raise Invalid.field(
            "/payment_method", "nothing_received", "the invoice received nothing in it"
        )
    if len(received) > 1:
        raise Invalid.field(
            "/payment_method", "ambiguous", f"paid in {', '.join(sorted(received))}: name one"
        )
    return next(iter(received))


def _amount(
    wanted: Refund,
    option: Option,
    received: Mapping[str, int],
    asked: Mapping[str, Asked | None],
    refunded: Counter[str],
) -> int:
    """Return the units to pay back, at most what the kind allows.

    What went back in another currency paid nothing of the invoice. Where the amount is open
    nothing is too much; after fresh rates too much is what is too much by each of them.
    """
    currency, due = option.currency, asked[option.currency.id]
    others = [
        Fraction(paid - refunded[name], whole.most)
        for name, paid in received.items()
        if name != currency.id and (whole := asked.get(name)) is not None
    ]
    most = refundable(
        wanted.kind,
        received=received[currency.id],
        refunded=refunded[currency.id],
        excess=0 if due is None else excess_units(due.most, received[currency.id], others),
    )
    if most == 0:
        raise Conflict(
            f"there is nothing to pay back as {wanted.kind}", code="nothing_to_refund"
        )
    if wanted.amount is None:
        return most
    sum_wanted = units("/amount", wanted.amount, currency.decimals)
    if sum_wanted > most:
        raise Invalid.field(
            "/amount",
            "exceeds_refundable",
            f"at most {to_text(most, currency.decimals)} {currency.code} as {wanted.kind}",
        )
    return sum_wanted
