"""What a payout would cost and who would decide about it, before anybody asks for it.

Everything is read from rows that watchers publish, and from the watcher's word on the
destination; nothing is held, and nothing here binds anybody.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.address_book.payable import payable
from gateway.address_book.service import require_listed
from gateway.customers.repository import require_customer
from gateway.domain.actor import Actor
from gateway.domain.addresses import display, folded
from gateway.domain.errors import Invalid
from gateway.domain.fields import units
from gateway.domain.moment import Moment
from gateway.domain.money import to_text
from gateway.domain.policy import Payout as Ruled
from gateway.domain.policy import rules_from, standing
from gateway.models import Currency, FeeQuote, Network, PolicySnapshot, Wallet
from gateway.withdrawals.destinations import Finding, Prospect
from gateway.withdrawals.estimate_documents import (
    DestinationDocument,
    EstimateDocument,
    NetworkFeeDocument,
    PolicyDocument,
)
from gateway.withdrawals.repository import is_referenced, native_currency
from gateway.withdrawals.request import method_of, referenced

QUOTE_MAX_AGE = timedelta(minutes=5)
NATIVE = "native"
DECISIONS = {"automatic": "automatic", "block": "blocked"}


@dataclass(frozen=True, slots=True)
class Sketch:
    """A payout as somebody thinks of it, with our rows about it.

    `prospect` is None without a destination, or where `fault` says why it is none.
    """

    currency: Currency
    network: Network
    native: Currency
    units: int
    available: int
    customer_id: str | None
    destination: str | None
    prospect: Prospect | None
    fault: Invalid | None
    quote: FeeQuote | None
    policy: PolicySnapshot | None


async def sketch(
    session: AsyncSession,
    actor: Actor,
    moment: Moment,
    *,
    payment_method: str,
    amount: str,
    destination: str | None,
    customer_id: str | None,
    reference: str | None,
) -> Sketch:
    """Read what our rows say; refuse as the request would, but for the destination and the balance.

    With a customer it is that customer's balance that there is.
    """
    currency, network = await method_of(session, actor, payment_method)
    wanted = units("/amount", amount, currency.decimals)
    await _require_askable(session, actor, customer_id, reference)
    prospect, fault = None, None
    if destination is not None:
        try:
            address = await payable(session, network, destination)
            await require_listed(session, actor, network.id, address, moment)
            prospect = Prospect(currency.id, address, wanted)
        except Invalid as refused:
            fault = refused
    balance = select(Wallet.confirmed).where(
        Wallet.account == (customer_id or actor.tenant), Wallet.currency_id == currency.id
    )
    quote = await session.get(FeeQuote, currency.id)
    fresh = quote is not None and quote.published_at > moment.at - QUOTE_MAX_AGE
    return Sketch(
        currency=currency,
        network=network,
        native=await native_currency(session, network.id),
        units=wanted,
        available=await session.scalar(balance) or 0,
        customer_id=customer_id,
        destination=destination,
        prospect=prospect,
        fault=fault,
        quote=quote if fresh else None,
        policy=await session.get(PolicySnapshot, network.id),
    )


async def _require_askable(
    session: AsyncSession, actor: Actor, customer_id: str | None, reference: str | None
) -> None:
    """Refuse a customer that is nobody's here, and a reference that is used."""
    if customer_id is not None:
        await require_customer(session, actor, customer_id)
    if reference is not None and await is_referenced(
        session, actor.tenant, reference, livemode=actor.livemode
    ):
        raise referenced()


def estimate_document(drawn: Sketch, finding: Finding | None, actor: Actor) -> EstimateDocument:
    """Shape the estimate."""
    currency = drawn.currency
    total = drawn.units + currency.withdrawal_fee_units
    return EstimateDocument(
        object="withdrawal_estimate",
        livemode=actor.livemode,
        payment_method=currency.id,
        customer_id=drawn.customer_id,
        amount=to_text(drawn.units, currency.decimals),
        amount_atomic=str(drawn.units),
        fee_charged=to_text(currency.withdrawal_fee_units, currency.decimals),
        total=to_text(total, currency.decimals),
        total_atomic=str(total),
        available=to_text(drawn.available, currency.decimals),
        sufficient=total <= drawn.available,
        network_fee=_fee(drawn),
        destination=_destination(drawn, finding),
        creator_may_approve=drawn.units < currency.automatic_approval_below_units,
        policy=_policy(drawn, actor.tenant),
    )


def _fee(drawn: Sketch) -> NetworkFeeDocument | None:
    quote, native = drawn.quote, drawn.native
    if quote is None:
        return None
    return NetworkFeeDocument(
        currency=native.code,
        typical=to_text(quote.typical_units, native.decimals),
        typical_atomic=str(quote.typical_units),
        ceiling=to_text(quote.ceiling_units, native.decimals),
        ceiling_atomic=str(quote.ceiling_units),
        parts=quote.parts,
        published_at=quote.published_at,
    )


def _destination(drawn: Sketch, finding: Finding | None) -> DestinationDocument | None:
    if drawn.destination is None:
        return None
    if drawn.fault is not None or drawn.prospect is None:
        fault = drawn.fault
        return DestinationDocument(
            address=drawn.destination,
            status="refused",
            code=None if fault is None else fault.code,
            detail="" if fault is None else fault.detail,
        )
    address = display(drawn.prospect.destination)
    if finding is None:
        return DestinationDocument(
            address=address, status="unknown", detail="the network did not answer in time"
        )
    return DestinationDocument(
        address=address,
        status="valid" if finding.refusal is None else "refused",
        code=finding.refusal,
        detail=finding.detail,
        kind=finding.kind,
        creates=finding.creates,
        creation_cost=to_text(int(finding.create_units), drawn.native.decimals),
    )


def _policy(drawn: Sketch, merchant: str) -> PolicyDocument:
    """Say which rule of the published policy would decide; the keystore's own file does."""
    snapshot = drawn.policy
    if snapshot is None:
        return PolicyDocument(decision="unknown", detail="no policy is published yet")
    if not snapshot.fingerprint:
        signed = drawn.network.test
        return PolicyDocument(
            decision="automatic" if signed else "blocked",
            detail="the keystore has no policy: it signs for test networks only",
        )
    contract = drawn.currency.contract
    payout = Ruled(
        asset=NATIVE if contract is None else folded(drawn.network.family, contract),
        to="" if drawn.prospect is None else drawn.prospect.destination,
        units=drawn.units,
        merchant=merchant,
    )
    found = standing(rules_from(snapshot.rules), payout, frozenset())
    if found is None:
        return PolicyDocument(decision="unknown", detail="the published rules are cut short")
    return PolicyDocument(
        decision=DECISIONS.get(found.kind, "approvals"),
        rule=found.rule,
        approvals_needed=found.need,
    )
