"""Finding the pending invoice that asks for what an order asks for, instead of making another."""

from collections.abc import Collection
from decimal import Decimal

from sqlalchemy import func, select

from gateway.domain.errors import Invalid
from gateway.domain.money import AmountError, parse_decimal
from gateway.domain.tax import with_tax
from gateway.invoices.activation import choose
from gateway.invoices.documents import amount_decimals
from gateway.invoices.orders import Desk, Order
from gateway.invoices.repository import invoice_of, options_of
from gateway.invoices.wishes import Wishes
from gateway.models import Invoice

LOOKED_AT = 50
"""So many of one order id and amount, the newest; whoever has more gets one more."""


async def reused(desk: Desk, order: Order, usual: Wishes) -> Invoice | None:
    """Return the open invoice that this order asks for; what it wants at once gets its address."""
    found = await pending_like(desk, order, usual)
    if found is None or not order.activate:
        return found
    session, actor = desk.session, desk.actor
    invoice = await invoice_of(
        session, actor.tenant, found.id, livemode=actor.livemode, lock=True
    )
    if invoice.status != "pending":  # it was paid or called off meanwhile
        return None
    for method in sorted(set(order.activate)):
        if await choose(session, desk.settings, invoice, method, desk.moment):
            await desk.note("invoice.method_chosen", invoice.id, {"payment_method": method})
    return invoice


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
        .limit(LOOKED_AT)
    )
    try:
        query = query.where(Invoice.amount.is_not_distinct_from(_wanted(order, usual)))
    except AmountError:
        return None  # making it refuses the amount
    found = (await session.scalars(query)).all()
    options = await options_of(session, [invoice.id for invoice in found])
    for invoice in found:
        methods = {option.currency.id for option in options[invoice.id]}
        if asks_the_same(invoice, methods, order, usual):
            return invoice
    return None


def asks_the_same(
    invoice: Invoice, methods: Collection[str], order: Order, usual: Wishes
) -> bool:
    """Tell whether an invoice asks for what this order asks: money, methods, conditions."""
    wanted = _wanted(order, usual)
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
