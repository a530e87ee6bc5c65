"""Creating an invoice: its rates locked, an address where the choice is made."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.repository import claim_ahead
from gateway.addresses.service import claim
from gateway.addresses.signature import SignedAddress
from gateway.catalog.published import SHELF, Shelf
from gateway.customers.repository import require_customer
from gateway.domain.errors import Invalid
from gateway.domain.money import plain
from gateway.invoices.activation import genuine
from gateway.invoices.documents import History, InvoiceDocument, Option, invoice_document
from gateway.invoices.offers import Asked, Offer, offers_for
from gateway.invoices.orders import Desk, Order
from gateway.invoices.repository import documents_of
from gateway.invoices.reuse import reused
from gateway.invoices.search import INVOICE
from gateway.invoices.standing import emit_document
from gateway.invoices.wishes import Defaults, Wishes, ask_wishes, wishes_of
from gateway.invoices.writing import write
from gateway.models import Invoice, InvoiceTimeline, PaymentOption
from gateway.rows import Plain
from gateway.settings import Settings

__all__ = ["Desk", "Order", "ask_ahead", "create_invoice", "shown"]

_OPTION, _STEP = Plain(PaymentOption, "o"), Plain(InvoiceTimeline, "t")


async def ask_ahead(desk: Desk, order: Order, invoice_id: str) -> None:
    """Have what `create_invoice` asks first answered by the round trip of whatever comes next.

    Where one method is named its address is taken, too: without an invoice the caller undoes it.
    """
    session, actor = desk.session, desk.actor
    await ask_wishes(session, actor.tenant)
    shelf: Shelf | None = session.info.get(SHELF)
    if shelf is None or order.reuse_pending or len(order.payment_methods or ()) != 1:
        return
    [method] = order.payment_methods or ()
    network = shelf.network_of(method, test=not actor.livemode)
    if network is not None:
        await claim_ahead(session, network, invoice_id, desk.moment.at)


async def create_invoice(
    desk: Desk, order: Order, invoice_id: str | None = None
) -> InvoiceDocument:
    """Write the invoice with its rates locked; give it an address where the choice is made.

    `invoice_id` is the one that `ask_ahead` was told.
    """
    session, actor, moment = desk.session, desk.actor, desk.moment
    defaults, usual = await wishes_of(session, actor.tenant)
    if order.customer_id is not None:
        await require_customer(session, actor, order.customer_id, living=True)
    if order.reuse_pending:
        pending = await reused(desk, order, usual)
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
    invoice_id = invoice_id or moment.id("inv")
    invoice = _invoice(desk, order, amount, defaults, usual, invoice_id=invoice_id)
    addresses = await _addresses(desk, invoice, _to_activate(order, offers))
    options = [_option(invoice, offer, addresses.get(offer.currency.id)) for offer in offers]
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
    await emit_document(session, document, "invoice.created", moment, first=True)
    after = {
        "amount": None if amount is None else plain(amount),
        "currency": order.currency,
        "order_id": order.order_id,
    }
    await desk.note("invoice.created", invoice.id, after)
    return document


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
    desk: Desk,
    order: Order,
    amount: Decimal | None,
    defaults: Defaults,
    usual: Wishes,
    *,
    invoice_id: str,
) -> Invoice:
    moment, tolerance = desk.moment, order.tolerance_basis_points
    policy, confirmations = usual.settling(order.confirmations, amount, order.currency)
    expires_at = moment.at + (order.expires_in or defaults.expiry)
    return INVOICE.new(
        id=invoice_id,
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
    return _STEP.new(
        id=None,  # the database counts
        invoice_id=invoice.id,
        merchant_id=invoice.merchant_id,
        status=invoice.status,
        exception=invoice.exception,
        reason="the invoice was created",
        at=invoice.created_at,
    )


async def _addresses(
    desk: Desk, invoice: Invoice, offers: Sequence[Offer]
) -> dict[str, SignedAddress]:
    """Claim an address per network; return that of each of these offers, by its currency's id."""
    claimed: dict[str, SignedAddress] = {}
    for offer in offers:
        network = offer.network.id
        if network not in claimed:
            claimed[network] = await claim(
                desk.session,
                network,
                invoice.id,
                desk.moment.at,
                desk.settings.keystore.pool_public_key,
            )
    return {offer.currency.id: claimed[offer.network.id] for offer in offers}


def _option(invoice: Invoice, offer: Offer, signed: SignedAddress | None) -> PaymentOption:
    return _OPTION.new(
        invoice_id=invoice.id,
        currency_id=offer.currency.id,
        merchant_id=invoice.merchant_id,
        network_id=offer.network.id,
        amount_units=offer.units,
        rate=offer.rate.value,
        rate_source=offer.rate.source,
        rate_at=invoice.created_at,
        address=None if signed is None else signed.address,
        address_index=None if signed is None else signed.index,
        address_path=None if signed is None else signed.path,
        address_signature=None if signed is None else signed.signature,
        activated_at=None if signed is None else invoice.created_at,
    )


def _to_activate(order: Order, offers: Sequence[Offer]) -> list[Offer]:
    if len(offers) == 1 and not order.activate:
        return list(offers)
    known = {offer.currency.id: offer for offer in offers}
    for index, name in enumerate(order.activate):
        if name not in known:
            raise Invalid.field(
                f"/activate/{index}",
                "unknown_payment_method",
                f"{name}: no payment method of this invoice",
            )
    return [known[name] for name in sorted(set(order.activate))]
