"""Asking for a payout: every check that our own rows can make, then the hold, then the event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.address_book.payable import payable
from gateway.address_book.service import require_listed
from gateway.catalog.repository import offered
from gateway.customers.repository import require_customer
from gateway.domain import posting
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.fields import units
from gateway.domain.money import UINT256_MAX
from gateway.ledger.service import post_covered
from gateway.models import Currency, Network
from gateway.withdrawals.destinations import Finding, Prospect, require_receiver
from gateway.withdrawals.documents import WithdrawalDocument
from gateway.withdrawals.moves import tell, tell_customer
from gateway.withdrawals.repository import add_unless_referenced
from gateway.withdrawals.service import Gate, shaped

KEEPS_A_PART = (
    "the token keeps a part of every transfer: no payout of it would bring the amount"
)


@dataclass(frozen=True, slots=True)
class Payout:
    """What is asked for; `amount` in whole coins. With a customer, that customer's balance pays."""

    payment_method: str
    amount: str
    destination: str
    reference: str | None = None
    customer_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a withdrawal belongs to: a batch, an invoice that it refunds, a payout rule."""

    batch_id: str | None = None
    batch_index: int | None = None
    invoice_id: str | None = None
    refund_kind: str | None = None
    rule_id: str | None = None


ALONE = Origin()


async def request_withdrawal(
    gate: Gate, payout: Payout, finding: Finding | None = None, origin: Origin = ALONE
) -> WithdrawalDocument:
    """Check the request, hold amount and fee, and write it down as pending."""
    session, actor, moment = gate.session, gate.actor, gate.moment
    currency, prospect = await prospect_of(session, actor, payout)
    if payout.customer_id is not None:
        await require_customer(session, actor, payout.customer_id)
    require_receiver(finding)
    await require_listed(session, actor, currency.network_id, prospect.destination, moment)
    values = _row(gate, payout, currency, prospect, origin)
    if not await add_unless_referenced(session, values):
        raise referenced()
    held = prospect.units + currency.withdrawal_fee_units
    if held > UINT256_MAX:
        raise Invalid.field("/amount", "insufficient_balance", "nobody has so much")
    entry = posting.hold(
        values["id"], actor.tenant, currency.id, held, customer_id=payout.customer_id
    )
    await post_covered(session, entry, moment)
    row = await gate.locked(values["id"])
    await tell(session, row, "withdrawal.created", moment)
    await tell_customer(session, row, moment)
    after = {
        "payment_method": currency.id,
        "amount": payout.amount,
        "destination": prospect.destination,
        "reference": payout.reference,
        "customer_id": payout.customer_id,
    }
    await gate.note("withdrawal.created", row.id, after)
    return await shaped(session, row)


async def prospect_of(
    session: AsyncSession, actor: Actor, payout: Payout
) -> tuple[Currency, Prospect]:
    """Read method, amount and destination; `Invalid` points at the one that cannot be."""
    currency, network = await method_of(session, actor, payout.payment_method)
    amount = units("/amount", payout.amount, currency.decimals)
    destination = await payable(session, network, payout.destination)
    return currency, Prospect(currency.id, destination, amount)


async def method_of(
    session: AsyncSession, actor: Actor, payment_method: str
) -> tuple[Currency, Network]:
    """Return an enabled payment method of the actor's mode; a withdrawal needs no free address.

    A token that keeps a part of every transfer is none: nobody would get the amount.
    """
    for currency, network in await offered(session, test=not actor.livemode):
        if currency.id == payment_method:
            if currency.fee_on_transfer:
                raise Invalid.field("/payment_method", "fee_on_transfer", KEEPS_A_PART)
            return currency, network
    raise Invalid.field(
        "/payment_method",
        "unknown_payment_method",
        f"{payment_method}: no payment method of this mode",
    )


def referenced() -> Conflict:
    """Return the refusal of a reference that is used."""
    return Conflict("another withdrawal has this reference", code="reference_already_used")


def _row(
    gate: Gate, payout: Payout, currency: Currency, prospect: Prospect, origin: Origin
) -> dict[str, Any]:
    return {
        "id": gate.moment.id("wdr"),
        "merchant_id": gate.actor.tenant,
        "customer_id": payout.customer_id,
        "livemode": gate.actor.livemode,
        "currency_id": currency.id,
        "network_id": currency.network_id,
        "units": prospect.units,
        "fee_units": currency.withdrawal_fee_units,
        "destination": prospect.destination,
        "reference": payout.reference,
        "metadata_": dict(payout.metadata),
        "status": "pending",
        "created_by": gate.actor.key_id,
        "batch_id": origin.batch_id,
        "batch_index": origin.batch_index,
        "invoice_id": origin.invoice_id,
        "refund_kind": origin.refund_kind,
        "rule_id": origin.rule_id,
        "created_at": gate.moment.at,
        "updated_at": gate.moment.at,
    }
