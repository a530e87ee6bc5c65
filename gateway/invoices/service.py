"""Creating an invoice, changing what the merchant says about it, calling it off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.invoice import Standing
from gateway.domain.moment import Moment
from gateway.domain.money import plain
from gateway.invoices.activation import assign, choose, genuine
from gateway.invoices.documents import InvoiceDocument
from gateway.invoices.offers import Asked, Offer, offers_for
from gateway.invoices.repository import documents_of, invoice_of
from gateway.invoices.standing import emit_invoice, move
from gateway.merchants.repository import merchant_of
from gateway.models import Invoice, InvoiceTimeline, Merchant, PaymentOption
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """A merchant's wish. None takes the merchant's default, or every available method."""

    amount: str
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
    merchant = await merchant_of(session, actor.tenant)
    asked = Asked(order.amount, order.currency, order.payment_methods)
    amount, offers = await offers_for(
        session, desk.settings, asked, moment, livemode=actor.livemode
    )
    invoice = _invoice(merchant, order, amount, moment, livemode=actor.livemode)
    options = [_option(invoice, offer, moment) for offer in offers]
    session.add(invoice)
    await session.flush()
    session.add_all(options)
    await session.flush()
    await session.execute(
        insert(InvoiceTimeline).values(
            invoice_id=invoice.id,
            merchant_id=invoice.merchant_id,
            status=invoice.status,
            exception=invoice.exception,
            reason="the invoice was created",
            at=moment.at,
        )
    )
    for option in _to_activate(order, options):
        await assign(session, desk.settings, option, options, moment)
    public_url = desk.settings.api.public_url
    await emit_invoice(session, invoice, "invoice.created", moment, public_url=public_url)
    after = {"amount": plain(amount), "currency": order.currency, "order_id": order.order_id}
    await desk.note("invoice.created", invoice.id, after)
    return await shown(session, desk.settings, invoice)


async def shown(session: AsyncSession, settings: Settings, invoice: Invoice) -> InvoiceDocument:
    """Shape one invoice for people's eyes: its addresses are proved first."""
    [document] = await documents_of(
        session, [invoice], public_url=settings.api.public_url, check=genuine(settings)
    )
    return document


async def choose_method(desk: Desk, invoice_id: str, payment_method: str) -> InvoiceDocument:
    """Assign the address of one payment method; once it is assigned it stays."""
    invoice = await _locked(desk, invoice_id)
    if await choose(desk.session, desk.settings, invoice, payment_method, desk.moment):
        after = {"payment_method": payment_method}
        await desk.note("invoice.method_chosen", invoice.id, after)
    return await shown(desk.session, desk.settings, invoice)


async def change_invoice(
    desk: Desk, invoice_id: str, changes: Mapping[str, Any]
) -> InvoiceDocument:
    """Set the given columns; what does not differ is neither written nor recorded."""
    invoice = await _locked(desk, invoice_id)
    after = {name: value for name, value in changes.items() if getattr(invoice, name) != value}
    if after:
        before = {name: getattr(invoice, name) for name in after}
        for name, value in after.items():
            setattr(invoice, name, value)
        await desk.session.flush()
        await desk.note("invoice.changed", invoice.id, _said(after), before=_said(before))
    return await shown(desk.session, desk.settings, invoice)


async def cancel_invoice(desk: Desk, invoice_id: str) -> InvoiceDocument:
    """Call a pending invoice off; its addresses are watched on until monitoring ends."""
    invoice = await _locked(desk, invoice_id)
    if invoice.status == "canceled":
        return await shown(desk.session, desk.settings, invoice)
    if invoice.status != "pending":
        raise Conflict(
            f"an invoice that is {invoice.status} cannot be canceled", code="invoice_not_open"
        )
    await move(
        desk.session,
        invoice,
        Standing("canceled", invoice.exception, final=False),
        desk.moment,
        reason="the merchant canceled it",
        public_url=desk.settings.api.public_url,
    )
    before, after = {"status": "pending"}, {"status": "canceled"}
    await desk.note("invoice.canceled", invoice.id, after, before=before)
    return await shown(desk.session, desk.settings, invoice)


def _said(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Name columns as the outside does: `metadata_` is only SQLAlchemy's way out."""
    return {name.rstrip("_"): value for name, value in columns.items()}


async def _locked(desk: Desk, invoice_id: str) -> Invoice:
    return await invoice_of(
        desk.session, desk.actor.tenant, invoice_id, livemode=desk.actor.livemode, lock=True
    )


def _invoice(
    merchant: Merchant, order: Order, amount: Decimal, moment: Moment, *, livemode: bool
) -> Invoice:
    tolerance = order.tolerance_basis_points
    default = timedelta(minutes=merchant.invoice_expiry_minutes)
    expires_at = moment.at + (order.expires_in or default)
    return Invoice(
        id=moment.id("inv"),
        merchant_id=merchant.id,
        livemode=livemode,
        order_id=order.order_id,
        description=order.description,
        metadata_=dict(order.metadata),
        amount=amount,
        currency=order.currency,
        tolerance_basis_points=(
            merchant.tolerance_basis_points if tolerance is None else tolerance
        ),
        confirmations=order.confirmations,
        status="pending",
        exception="none",
        final=False,
        success_url=order.success_url,
        cancel_url=order.cancel_url,
        created_at=moment.at,
        expires_at=expires_at,
        monitoring_until=expires_at + timedelta(days=merchant.monitoring_days),
        paid_at=None,
        settled_at=None,
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
