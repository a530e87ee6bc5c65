"""Creating an invoice: its rates locked, an address where the choice is made."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.customers.repository import require_customer
from gateway.domain.actor import Actor
from gateway.domain.errors import Invalid
from gateway.domain.moment import Moment
from gateway.domain.money import AmountError, parse_decimal, plain
from gateway.domain.tax import with_tax
from gateway.invoices.activation import assign, genuine
from gateway.invoices.documents import (
    History,
    InvoiceDocument,
    Option,
    amount_decimals,
    invoice_document,
)
from gateway.invoices.offers import Asked, Offer, offers_for
from gateway.invoices.repository import documents_of, options_of
from gateway.invoices.standing import emit_document
from gateway.invoices.wishes import Defaults, Wishes, wishes_of
from gateway.invoices.writing import write
from gateway.models import Invoice, InvoiceTimeline, PaymentOption
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """A merchant's wish. None takes the merchant's default, or every available method.

    Without an amount the invoice takes whatever comes. `reuse_pending` answers the pending
    invoice of the same `order_id` where it asks for the same.
    """

    amount: str | None
    currency: str
    payment_methods: Sequence[str] | None = None
    activate: Sequence[str] = ()
    order_id: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires_in: timedelta | None = None
    tolerance_basis_points: int | None = None
    confirmations: int | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    customer_id: str | None = None
    reuse_pending: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What every use case needs: the transaction, who asks, the rules, the moment."""

    session: AsyncSession
    actor: Actor
    settings: Settings
    moment: Moment

    async def note(
        self,
        action: str,
        subject: str,
        after: Mapping[str, Any],
        *,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one row of the audit log."""
        await record(
            self.session,
            self.actor,
            self.moment,
            action=action,
            subject=subject,
            before=before,
            after=after,
        )


async def create_invoice(desk: Desk, order: Order) -> InvoiceDocument:
    """Write the invoice with its rates locked; give it an address where the choice is made."""
    session, actor, moment = desk.session, desk.actor, desk.moment
    defaults, usual = await wishes_of(session, actor.tenant)
    if order.customer_id is not None:
        await require_customer(session, actor, order.customer_id, living=True)
    if order.reuse_pending:
        pending = await pending_like(desk, order, usual)
        if pending is not None:
            return await shown(session, desk.settings, pending)
    asked = Asked(
        order.amount,
        order.currency,
        order.payment_methods,
        usual=usual.payment_methods,
        tax=usual.tax_on_top,
    )
    amount, offers = await offers_for(
        session, desk.settings, asked, moment, livemode=actor.livemode
    )
    invoice = _invoice(desk, order, amount, defaults, usual)
    options = [_option(invoice, offer, moment) for offer in offers]
    for option in _to_activate(order, options):
        await assign(session, desk.settings, option, options, moment)
    step = _first_step(invoice)
    await write(session, invoice, options, step)
    document = invoice_document(
        invoice,
        [
            Option(row, offer.currency, offer.network)
            for row, offer in zip(options, offers, strict=True)
        ],
        History(deposits=[], timeline=[step], refunds=[], rates=[], receipts=[]),
        public_url=desk.settings.api.public_url,
    )
    await emit_document(session, document, "invoice.created", moment)
    after = {
        "amount": None if amount is None else plain(amount),
        "currency": order.currency,
        "order_id": order.order_id,
    }
    await desk.note("invoice.created", invoice.id, after)
    return document


async def pending_like(desk: Desk, order: Order, usual: Wishes) -> Invoice | None:
    """Return the newest open invoice of the same order that asks for the same.

    Two requests at once are put in a row: the second one finds what the first has made.
    """
    if order.order_id is None:
        raise Invalid.field("/order_id", "missing", "reuse_pending needs an order_id")
    session, actor = desk.session, desk.actor
    key = f"{actor.tenant} {actor.livemode} {order.order_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    query = (
        select(Invoice)
        .where(
            Invoice.merchant_id == actor.tenant,
            Invoice.livemode == actor.livemode,
            Invoice.order_id == order.order_id,
            Invoice.status == "pending",
            Invoice.expires_at > desk.moment.at,
        )
        .order_by(Invoice.id.desc())
    )
    for invoice in await session.scalars(query):
        options = (await options_of(session, [invoice.id]))[invoice.id]
        if asks_the_same(invoice, {o.currency.id for o in options}, order, usual):
            return invoice
    return None


def asks_the_same(
    invoice: Invoice, methods: Collection[str], order: Order, usual: Wishes
) -> bool:
    """Tell whether an invoice asks for what this order asks: money, methods, conditions."""
    try:
        wanted = _wanted(order, usual)
    except AmountError:
        return False
    _, confirmations = usual.settling(order.confirmations, wanted, order.currency)
    tolerance = order.tolerance_basis_points
    return (
        invoice.amount == wanted
        and invoice.currency == order.currency
        and invoice.customer_id == order.customer_id
        and invoice.confirmations == confirmations
        and (invoice.tax_rate, invoice.tax_label) == (usual.tax_rate, usual.tax_label)
        and (tolerance is None or invoice.tolerance_basis_points == tolerance)
        and (order.payment_methods is None or set(order.payment_methods) == set(methods))
        and set(order.activate) <= set(methods)
    )


def _wanted(order: Order, usual: Wishes) -> Decimal | None:
    if order.amount is None:
        return None
    amount, tax = parse_decimal(order.amount), usual.tax_on_top
    if tax is None:
        return amount
    return with_tax(amount, tax, amount_decimals(order.currency, amount))


async def shown(
    session: AsyncSession, settings: Settings, invoice: Invoice, *, expanded: bool = False
) -> InvoiceDocument:
    """Shape one invoice for people's eyes: its addresses are proved first."""
    [document] = await documents_of(
        session,
        [invoice],
        public_url=settings.api.public_url,
        check=genuine(settings),
        expanded=expanded,
    )
    return document


def _invoice(
    desk: Desk, order: Order, amount: Decimal | None, defaults: Defaults, usual: Wishes
) -> Invoice:
    moment, tolerance = desk.moment, order.tolerance_basis_points
    policy, confirmations = usual.settling(order.confirmations, amount, order.currency)
    expires_at = moment.at + (order.expires_in or defaults.expiry)
    return Invoice(
        id=moment.id("inv"),
        merchant_id=desk.actor.tenant,
        livemode=desk.actor.livemode,
        order_id=order.order_id,
        description=order.description,
        metadata_=dict(order.metadata),
        amount=amount,
        currency=order.currency,
        tolerance_basis_points=(
            defaults.tolerance_basis_points if tolerance is None else tolerance
        ),
        confirmations=confirmations,
        confirmation_policy=policy,
        customer_id=order.customer_id,
        tax_rate=usual.tax_rate,
        tax_label=usual.tax_label,
        status="pending",
        exception="none",
        final=False,
        success_url=order.success_url or usual.success_url,
        cancel_url=order.cancel_url or usual.cancel_url,
        created_at=moment.at,
        expires_at=expires_at,
        monitoring_until=expires_at + defaults.monitoring,
        paid_at=None,
        settled_at=None,
    )


def _first_step(invoice: Invoice) -> InvoiceTimeline:
    return InvoiceTimeline(
        invoice_id=invoice.id,
        merchant_id=invoice.merchant_id,
        status=invoice.status,
        exception=invoice.exception,
        reason="the invoice was created",
        at=invoice.created_at,
    )


def _option(invoice: Invoice, offer: Offer, moment: Moment) -> PaymentOption:
    return PaymentOption(
        invoice_id=invoice.id,
        currency_id=offer.currency.id,
        merchant_id=invoice.merchant_id,
        network_id=offer.network.id,
        amount_units=offer.units,
        rate=offer.rate.value,
        rate_source=offer.rate.source,
        rate_at=moment.at,
        address=None,
        address_index=None,
        address_path=None,
        address_signature=None,
        activated_at=None,
    )


def _to_activate(order: Order, options: Sequence[PaymentOption]) -> list[PaymentOption]:
    if len(options) == 1 and not order.activate:
        return list(options)
    known = {option.currency_id: option for option in options}
    for index, name in enumerate(order.activate):
        if name not in known:
            raise Invalid.field(
                f"/activate/{index}",
                "unknown_payment_method",
                f"{name}: no payment method of this invoice",
            )
    return [known[name] for name in sorted(set(order.activate))]
